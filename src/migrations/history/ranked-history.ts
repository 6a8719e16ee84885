import { isDuplicateKey } from '../database/explain-error.js';
import type { MigrationSession, WhenSent } from '../database/session.js';
import type { AppliedMigration, HistoryType, NewHistoryRow } from '../migration.js';
import { parseVersion } from '../version.js';
import type { History, HistoryChange } from './history.js';
import {
  createMissingSchema,
  parameters,
  TABLE_DIALECTS,
  tableExists,
  type TableDialect,
} from './table-dialect.js';

interface Row {
  readonly installed_rank: number | string;
  readonly version: string | null;
  readonly description: string;
  readonly type: string;
  readonly script: string;
  readonly checksum: number | string | null;
  readonly sha256?: string | null;
  readonly installed_by: string;
  readonly installed_at: number | string;
  readonly execution_time: number | string;
  readonly success: boolean | number | string;
}

export interface HistoryPlace {
  readonly schema: string;
  readonly name: string;
  readonly user: string;
}

/** The rank that a row brought is that of another one. */
export class RankTakenError extends Error {}

/** Column of each thing that can be changed. */
const CHANGEABLE = {
  description: 'description',
  type: 'type',
  checksum: 'checksum',
  sha256: 'sha256',
  executionTimeMs: 'execution_time',
  success: 'success',
} as const satisfies Record<keyof HistoryChange, string>;

/**
 * `flyway_schema_history`, as Flyway creates it (`createSchemaHistory` of its database classes), so that Flyway goes on
 * with it; and holdfast's own table, which is the same with one column more, `sha256`.
 */
export class RankedHistory implements History {
  readonly format: 'holdfast' | 'flyway';
  readonly canMarkDeleted = true;
  readonly schema: string;
  readonly name: string;
  readonly user: string;
  readonly table: string;
  readonly #dialect: TableDialect;
  readonly #columns: readonly string[];

  constructor(format: RankedHistory['format'], place: HistoryPlace, dialect: MigrationSession['dialect']) {
    this.format = format;
    this.schema = place.schema;
    this.name = place.name;
    this.user = place.user;
    this.#dialect = TABLE_DIALECTS[dialect];
    this.table = `${this.#dialect.quote(place.schema)}.${this.#dialect.quote(place.name)}`;
    const flyway = ['version', 'description', 'type', 'script', 'checksum', 'installed_by'];
    this.#columns = [...flyway, 'success', ...(format === 'holdfast' ? ['sha256'] : [])];
  }

  exists(session: MigrationSession): Promise<boolean> {
    return tableExists(session, this);
  }

  async create(session: MigrationSession): Promise<void> {
    const { quote } = this.#dialect;
    const [key, index] = [quote(`${this.name}_pk`), quote(`${this.name}_s_idx`)];
    const mysql = session.dialect === 'mysql';
    const columns = [
      'installed_rank INT NOT NULL',
      'version VARCHAR(50)',
      'description VARCHAR(200) NOT NULL',
      'type VARCHAR(20) NOT NULL',
      'script VARCHAR(1000) NOT NULL',
      'checksum INTEGER',
      'installed_by VARCHAR(100) NOT NULL',
      `installed_on TIMESTAMP NOT NULL DEFAULT ${mysql ? 'CURRENT_TIMESTAMP' : 'now()'}`,
      'execution_time INTEGER NOT NULL',
      `success ${mysql ? 'BOOL' : 'BOOLEAN'} NOT NULL`,
      ...(this.format === 'holdfast' ? ['sha256 CHAR(64)'] : []),
      `CONSTRAINT ${key} PRIMARY KEY (installed_rank)`,
    ];
    if (mysql) {
      columns.push(`INDEX ${index} (success)`);
      // Flyway leaves the character set to the database.
      const options = this.format === 'holdfast' ? this.#dialect.tableOptions : ' ENGINE=InnoDB';
      await session.query(`CREATE TABLE ${this.table} (${columns.join(', ')})${options}`);
      return;
    }
    await createMissingSchema(session, this.schema);
    await session.query(`CREATE TABLE ${this.table} (${columns.join(', ')})`);
    await session.query(`CREATE INDEX ${index} ON ${this.table} (success)`);
  }

  async list(session: MigrationSession): Promise<readonly AppliedMigration[]> {
    const columns = ['installed_rank', ...this.#columns, 'execution_time'].join(', ');
    const rows = await session.query<Row>(
      `SELECT ${columns}, ${this.#dialect.epochOf('installed_on')} AS installed_at
         FROM ${this.table} ORDER BY installed_rank`,
    );
    return rows.map(appliedOf);
  }

  async add(session: MigrationSession, row: NewHistoryRow, when: WhenSent = 'now'): Promise<void> {
    // A derived table, for MySQL lets no statement read the table that it writes.
    const highest = `(SELECT r FROM (SELECT COALESCE(MAX(installed_rank), 0) + 1 AS r FROM ${this.table}) AS next_rank)`;
    const values: unknown[] = [
      row.version?.text ?? null,
      shorten(row.description, 200),
      row.type,
      shorten(row.script, 1000),
      row.checksum ?? null,
      shorten(row.installedBy, 100),
      row.success,
    ];
    if (this.format === 'holdfast') values.push(row.sha256 ?? null);
    const columns = ['installed_rank', ...this.#columns, 'execution_time'];
    const expressions = [row.installedRank ?? highest, parameters(session, { count: values.length })];
    const { executionTimeMs } = row;
    expressions.push(
      typeof executionTimeMs === 'number'
        ? session.placeholder(values.push(Math.round(executionTimeMs)))
        : this.#dialect.msSinceBegan,
    );
    if (row.installedOn !== undefined) {
      columns.push('installed_on');
      expressions.push(
        this.#dialect.timestampOf(session.placeholder(values.push(row.installedOn.getTime()))),
      );
    }
    const text = `INSERT INTO ${this.table} (${columns.join(', ')}) VALUES (${expressions.join(', ')})`;
    if (when === 'now') await session.query(text, values);
    else session.defer({ text, values, explain: (error) => this.#explain(error, row) });
  }

  #explain(error: Error, { installedRank }: NewHistoryRow): Error | undefined {
    // PostgreSQL says whose key it is; on MySQL this is asked of the row's own error alone.
    const { table = this.name } = error as { readonly table?: string };
    const isTaken = table === this.name && isDuplicateKey(error);
    return installedRank !== undefined && isTaken
      ? new RankTakenError(`${this.table} has a row ${installedRank} already`, { cause: error })
      : undefined;
  }

  async update(session: MigrationSession, installedRank: number, change: HistoryChange): Promise<void> {
    const changes = Object.entries(change).filter(
      ([key]) => key !== 'sha256' || this.format === 'holdfast',
    ) as [keyof HistoryChange, unknown][];
    const assignments = changes.map(
      ([key], index) => `${CHANGEABLE[key]} = ${session.placeholder(index + 1)}`,
    );
    const values = changes.map(([, value]) =>
      typeof value === 'number' ? Math.round(value) : (value ?? null),
    );
    await session.query(
      `UPDATE ${this.table} SET ${assignments.join(', ')} WHERE installed_rank = ${session.placeholder(changes.length + 1)}`,
      [...values, installedRank],
    );
  }

  async remove(session: MigrationSession, installedRank: number): Promise<void> {
    await session.query(`DELETE FROM ${this.table} WHERE installed_rank = ${session.placeholder(1)}`, [
      installedRank,
    ]);
  }
}

function appliedOf(row: Row): AppliedMigration {
  return {
    installedRank: Number(row.installed_rank),
    ...(row.version === null ? {} : { version: parseVersion(row.version) }),
    description: row.description,
    type: row.type as HistoryType,
    script: row.script,
    ...(row.checksum === null ? {} : { checksum: Number(row.checksum) }),
    ...(row.sha256 == null ? {} : { sha256: row.sha256 }),
    installedBy: row.installed_by,
    installedOn: new Date(Number(row.installed_at)),
    executionTimeMs: Number(row.execution_time),
    success: row.success === true || Number(row.success) === 1,
  };
}

/** As Flyway does with what its column cannot hold: the end is cut off and marked. */
function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 3)}...`;
}
