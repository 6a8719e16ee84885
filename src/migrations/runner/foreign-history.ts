import { InvalidOptionsError } from '../../core/index.js';
import { PrismaHistory } from '../history/prisma-history.js';
import { RankedHistory } from '../history/ranked-history.js';
import { tableExists } from '../history/table-dialect.js';
import type { MigrationSession } from '../database/session.js';
import type { HistoryType, ResolvedMigration } from '../migration.js';
import type { Adoptable } from '../migrator.js';
import { compareVersions, parseVersion, type Version } from '../version.js';

/** A row of another tool's table. */
export interface ForeignRow {
  /** What that tool calls it. */
  readonly name: string;
  readonly version?: Version;
  readonly description?: string;
  /** Whether it was applied: another row says that it failed, or that it is half done. */
  readonly success: boolean;
  /** Flyway's word; only what has a file (SQL, JDBC) is looked for. */
  readonly type?: HistoryType;
  /** Of the file that was applied, taken as here: Flyway's CRC32. */
  readonly checksum?: number;
  /** Likewise, Prisma's. */
  readonly sha256?: string;
  readonly installedBy?: string;
  readonly installedOn?: Date;
  readonly executionTimeMs?: number;
}

export interface ForeignPlace {
  readonly schema: string;
  readonly name: string;
  readonly user: string;
}

export const FOREIGN_TABLES: Readonly<Record<Adoptable, string>> = {
  flyway: 'flyway_schema_history',
  prisma: '_prisma_migrations',
  typeorm: 'migrations',
  umzug: 'SequelizeMeta',
  dbmate: 'schema_migrations',
};

type Read = (session: MigrationSession, place: ForeignPlace) => Promise<readonly ForeignRow[]>;

const READERS: Readonly<Record<Adoptable, Read>> = {
  flyway: async (session, place) => {
    const rows = await new RankedHistory('flyway', place, session.dialect).list(session);
    return rows.map(({ script, ...row }) => ({ ...row, name: script }));
  },
  prisma: async (session, place) => {
    const rows = await new PrismaHistory(place, session.dialect).list(session);
    return rows.map(({ script, version, sha256, success, installedOn, executionTimeMs }) => ({
      name: script,
      success,
      installedOn,
      executionTimeMs,
      ...(version === undefined ? {} : { version }),
      ...(sha256 === undefined ? {} : { sha256 }),
    }));
  },
  typeorm: async (session, place) => {
    const rows = await readColumns(session, place, ['timestamp', 'name', 'id']);
    return rows.map(([timestamp = '', name = '']) => ({
      name,
      version: parseVersion(timestamp),
      success: true,
    }));
  },
  umzug: async (session, place) => {
    const rows = await readColumns(session, place, ['name']);
    return rows.map(([name = '']) => ({ name, ...versionOf(name), success: true }));
  },
  dbmate: async (session, place) => {
    const rows = await readColumns(session, place, ['version']);
    return rows.map(([version = '']) => ({ name: version, ...versionOf(version), success: true }));
  },
};

/** Reads another tool's table, and changes nothing of it. Throws `InvalidOptionsError` where it is not there. */
export async function readForeignHistory(
  session: MigrationSession,
  from: Adoptable,
  place: ForeignPlace,
): Promise<readonly ForeignRow[]> {
  if (!(await tableExists(session, place))) throw await noTable(session, from, place);
  return READERS[from](session, place);
}

async function noTable(
  session: MigrationSession,
  from: Adoptable,
  { schema, name }: ForeignPlace,
): Promise<InvalidOptionsError> {
  const others: string[] = [];
  for (const [tool, table] of Object.entries(FOREIGN_TABLES))
    if (await tableExists(session, { schema, name: table }))
      others.push(`"${table}" is there, of ${tool}: \`adopt --from ${tool}\`.`);
  const found =
    others.length > 0 ? others.join(' ') : 'No table of another tool that is known here is there either.';
  return new InvalidOptionsError(
    `There is no table "${name}" in the schema "${schema}", which ${from} keeps its history in. ${found} If it has another name: \`adopt --from ${from} --table NAME\`; if it is in another schema or database, \`--history-schema\` or the url has to name that.`,
  );
}

/** Which file here a row of theirs is: by its name, else by its version. */
export function fileOf(row: ForeignRow, files: readonly ResolvedMigration[]): ResolvedMigration | undefined {
  const stem = stemOf(row.name);
  const byName = files.filter(({ script }) => script === row.name || stemOf(script) === stem);
  if (byName.length > 0) return byName[0];
  const { version } = row;
  if (version === undefined) return undefined;
  return files.find((file) => file.version !== undefined && compareVersions(file.version, version) === 0);
}

/** The name of the file without folders and ending; of Prisma's folders the folder. */
function stemOf(name: string): string {
  const withoutFile = name.replace(/\/migration\.sql$/, '');
  return withoutFile
    .slice(withoutFile.lastIndexOf('/') + 1)
    .replace(/(?:\.(?:up|down))?\.(?:sql|[cm]?[jt]s)$/, '');
}

function versionOf(name: string): { version?: Version } {
  const [, digits] = /^V?(\d+(?:[._]\d+)*?)(?:[-_.].*)?$/.exec(name) ?? [];
  return digits === undefined ? {} : { version: parseVersion(digits) };
}

async function readColumns(
  session: MigrationSession,
  { schema, name }: ForeignPlace,
  columns: readonly string[],
): Promise<string[][]> {
  const list = columns.map((column) => session.quote(column)).join(', ');
  const order = session.quote(columns.at(-1)!);
  const rows = await session.query(
    `SELECT ${list} FROM ${session.quote(schema)}.${session.quote(name)} ORDER BY ${order}`,
  );
  return rows.map((row) => columns.map((column) => String(row[column])));
}
