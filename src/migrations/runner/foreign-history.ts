import { InvalidOptionsError } from '../../core/index.js';
import { PrismaHistory } from '../history/prisma-history.js';
import { RankedHistory } from '../history/ranked-history.js';
import { tableExists } from '../history/table-dialect.js';
import type { MigrationSession } from '../database/session.js';
import type { HistoryType, ResolvedMigration } from '../migration.js';
import type { Adoptable } from '../migrator.js';
import { compareVersions, parseVersion, type Version } from '../version.js';
import { findElsewhere, tellElsewhere } from './elsewhere.js';
import type { RunContext } from './run-context.js';

/** By what a tool knows a migration again: by its name alone, or by its version, whatever the file is called. */
export type ForeignIdentity = 'name' | 'version';

/** What another tool's table says. */
export interface ForeignHistory {
  readonly rows: readonly ForeignRow[];
  readonly identity: ForeignIdentity;
}

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
  /** The column that holds the names, where it is not called as umzug calls it. */
  readonly column?: string | undefined;
}

export const FOREIGN_TABLES: Readonly<Record<Adoptable, string>> = {
  flyway: 'flyway_schema_history',
  prisma: '_prisma_migrations',
  typeorm: 'migrations',
  umzug: 'SequelizeMeta',
  dbmate: 'schema_migrations',
};

/** umzug and Prisma run a renamed file again; the others look at its number alone. */
const IDENTITIES: Readonly<Record<Adoptable, ForeignIdentity>> = {
  flyway: 'version',
  prisma: 'name',
  typeorm: 'version',
  umzug: 'name',
  dbmate: 'version',
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
    const rows = await readColumns(session, place, [place.column ?? 'name']);
    return rows.map(([name = '']) => ({ name, ...versionOf(name), success: true }));
  },
  dbmate: async (session, place) => {
    const rows = await readColumns(session, place, ['version']);
    return rows.map(([version = '']) => ({ name: version, ...versionOf(version), success: true }));
  },
};

/**
 * Reads another tool's table, and changes nothing of it. Throws `InvalidOptionsError` where it is not there, or has not the
 * columns that the tool gives it.
 */
export async function readForeignHistory(
  context: RunContext,
  from: Adoptable,
  place: ForeignPlace,
): Promise<ForeignHistory> {
  const { session } = context;
  if (place.column !== undefined && from !== 'umzug')
    throw new InvalidOptionsError(`--column is for umzug's table: ${from} has no name for it of its own.`);
  if (!(await tableExists(session, place))) throw await noTable(context, from, place);
  await requireColumns(session, from, place);
  return { rows: await READERS[from](session, place), identity: IDENTITIES[from] };
}

/** Columns by which a table is one of that tool. */
const MARKS: Readonly<Record<Adoptable, readonly string[]>> = {
  flyway: ['installed_rank', 'version', 'script', 'checksum', 'success'],
  prisma: ['migration_name', 'checksum', 'started_at', 'finished_at', 'rolled_back_at'],
  typeorm: ['id', 'timestamp', 'name'],
  umzug: ['name'],
  dbmate: ['version'],
};

async function requireColumns(
  session: MigrationSession,
  from: Adoptable,
  { schema, name, column }: ForeignPlace,
): Promise<void> {
  const rows = await session.query<{ name: string }>(
    `SELECT column_name AS name FROM information_schema.columns
      WHERE table_schema = ${session.placeholder(1)} AND table_name = ${session.placeholder(2)} ORDER BY ordinal_position`,
    [schema, name],
  );
  const there = rows.map((row) => row.name);
  const wanted = column === undefined ? MARKS[from] : [column];
  // Without the right to see them there are none.
  const missing = there.length === 0 ? [] : wanted.filter((each) => !there.includes(each));
  if (missing.length === 0) return;
  const next =
    from === 'umzug'
      ? 'Say which column holds the names: `adopt --from umzug --column NAME`.'
      : 'Say which table is: `--table NAME`; or see that `--from` names the right tool.';
  throw new InvalidOptionsError(
    `The table "${name}" in the schema "${schema}" is none of ${from}: it has no column ${missing.map((each) => `"${each}"`).join(', ')}, but ${there.map((each) => `"${each}"`).join(', ')}. ${next}`,
  );
}

async function noTable(
  context: RunContext,
  from: Adoptable,
  { schema, name }: ForeignPlace,
): Promise<InvalidOptionsError> {
  const { session } = context;
  const others: string[] = [];
  for (const [tool, table] of Object.entries(FOREIGN_TABLES))
    if (await tableExists(session, { schema, name: table }))
      others.push(`"${table}" is there, of ${tool}: \`adopt --from ${tool}\`.`);
  const found =
    others.length > 0 ? others.join(' ') : 'No table of another tool that is known here is there either.';
  const elsewhere = await findElsewhere(context, [name]);
  const place = elsewhere.length > 0 ? ` ${tellElsewhere(elsewhere)}` : '';
  return new InvalidOptionsError(
    `There is no table "${name}" in the schema "${schema}", which ${from} keeps its history in. ${found}${place} If it has another name: \`adopt --from ${from} --table NAME\`; if it is in another database, the url has to name that.`,
  );
}

/** Which file here a row of theirs is: by its name, else, where their tool looks at that alone, by its version. */
export function fileOf(
  row: ForeignRow,
  { files, identity }: { readonly files: readonly ResolvedMigration[]; readonly identity: ForeignIdentity },
): ResolvedMigration | undefined {
  const stem = stemOf(row.name);
  const byName = files.filter(({ script }) => script === row.name || stemOf(script) === stem);
  if (byName.length > 0) return byName[0];
  const { version } = row;
  if (version === undefined || identity === 'name') return undefined;
  return files.find((file) => file.version !== undefined && compareVersions(file.version, version) === 0);
}

/** The name of the file without folders and ending; of Prisma's folders the folder. */
export function stemOf(name: string): string {
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
