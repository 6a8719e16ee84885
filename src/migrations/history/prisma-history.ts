import { randomUUID } from 'node:crypto';
import type { MigrationSession, WhenSent } from '../database/session.js';
import { InvalidMigrationsError } from '../errors.js';
import type { AppliedMigration, NewHistoryRow } from '../migration.js';
import { compareVersions, parseVersion } from '../version.js';
import type { History, HistoryChange } from './history.js';
import type { HistoryPlace } from './ranked-history.js';
import { createMissingSchema, parameters, TABLE_DIALECTS, tableExists } from './table-dialect.js';

interface Row {
  readonly id: string;
  readonly checksum: string;
  readonly migration_name: string;
  readonly finished: boolean | number | string;
  readonly started_at_ms: number | string;
  readonly took_ms: number | string | null;
}

/** What Prisma's own schema engine writes (`imperative_migration_persistence` of its SQL connector), per database. */
interface PrismaDialect {
  readonly time: string;
  readonly count: string;
  readonly options: string;
  readonly now: string;
  /** When what the row travels with began. */
  readonly began: string;
  readonly epochOf: (column: string) => string;
  /** A time so many microseconds before another. */
  readonly before: (time: string, microseconds: string) => string;
  /** The time of milliseconds since 1970. */
  readonly timeOf: (epochMs: number) => string;
}

const DIALECTS: Readonly<Record<MigrationSession['dialect'], PrismaDialect>> = {
  postgres: {
    time: 'TIMESTAMPTZ',
    count: 'INTEGER',
    options: '',
    now: 'clock_timestamp()',
    began: TABLE_DIALECTS.postgres.began,
    epochOf: (column) => `(extract(epoch FROM ${column}) * 1000)::float8`,
    before: (time, microseconds) => `${time} - ${microseconds} * interval '1 microsecond'`,
    timeOf: (epochMs) => `to_timestamp(${epochMs}::float8 / 1000)`,
  },
  mysql: {
    time: 'DATETIME(3)',
    count: 'INTEGER UNSIGNED',
    options: ' DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci',
    // Prisma writes UTC into a column that knows no time zone.
    now: 'UTC_TIMESTAMP(3)',
    began: `CAST(${TABLE_DIALECTS.mysql.began} AS DATETIME(3))`,
    epochOf: (column) => `(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', ${column}) / 1000)`,
    before: (time, microseconds) => `${time} - INTERVAL ${microseconds} MICROSECOND`,
    timeOf: (epochMs) => `TIMESTAMP('1970-01-01') + INTERVAL ${epochMs * 1000} MICROSECOND`,
  },
};

const FOLDER_FILE = '/migration.sql';

/** `_prisma_migrations`, kept as Prisma Migrate keeps it, so that `prisma migrate status` reads what holdfast wrote. */
export class PrismaHistory implements History {
  readonly format = 'prisma';
  readonly canMarkDeleted = false;
  readonly schema: string;
  readonly name: string;
  readonly user: string;
  readonly table: string;
  readonly #dialect: PrismaDialect;
  /** Prisma numbers its rows by nothing but time: ranks are the places in what was listed last. */
  #idOfRank = new Map<number, string>();

  constructor(place: HistoryPlace, dialect: MigrationSession['dialect']) {
    const { quote } = TABLE_DIALECTS[dialect];
    this.schema = place.schema;
    this.name = place.name;
    this.user = place.user;
    this.table = `${quote(place.schema)}.${quote(place.name)}`;
    this.#dialect = DIALECTS[dialect];
  }

  exists(session: MigrationSession): Promise<boolean> {
    return tableExists(session, this);
  }

  async create(session: MigrationSession): Promise<void> {
    const { time, count, options } = this.#dialect;
    if (session.dialect === 'postgres') await createMissingSchema(session, this.schema);
    const default_ = session.dialect === 'mysql' ? 'CURRENT_TIMESTAMP(3)' : 'now()';
    await session.query(`CREATE TABLE ${this.table} (
      id VARCHAR(36) PRIMARY KEY NOT NULL,
      checksum VARCHAR(64) NOT NULL,
      finished_at ${time},
      migration_name VARCHAR(255) NOT NULL,
      logs TEXT,
      rolled_back_at ${time},
      started_at ${time} NOT NULL DEFAULT ${default_},
      applied_steps_count ${count} NOT NULL DEFAULT 0
    )${options}`);
  }

  async list(session: MigrationSession): Promise<readonly AppliedMigration[]> {
    const { epochOf } = this.#dialect;
    const rows = await session.query<Row>(
      `SELECT id, checksum, migration_name, finished_at IS NOT NULL AS finished,
              ${epochOf('started_at')} AS started_at_ms,
              ${epochOf('finished_at')} - ${epochOf('started_at')} AS took_ms
         FROM ${this.table} WHERE rolled_back_at IS NULL ORDER BY started_at, migration_name`,
    );
    this.#idOfRank = new Map(rows.map(({ id }, index) => [index + 1, id]));
    return rows.map((row, index) => this.#appliedOf(row, index + 1));
  }

  async add(session: MigrationSession, row: NewHistoryRow, when: WhenSent = 'now'): Promise<void> {
    if (row.type === 'UNDO_SQL' || row.type === 'UNDO_JDBC') return this.#rollBack(session, row);
    if (row.type !== 'SQL' && row.type !== 'JDBC') {
      throw new InvalidMigrationsError(
        `${this.table} is Prisma's, which has no row of the type ${row.type} (${row.script}). ` +
          'Set history to "holdfast" and take over its rows with `adopt --from prisma`.',
      );
    }
    const { now, before, timeOf } = this.#dialect;
    const end = row.installedOn === undefined ? now : timeOf(row.installedOn.getTime());
    const { executionTimeMs } = row;
    const values: unknown[] = [randomUUID(), row.sha256 ?? '', nameOf(row.script)];
    const parameter = (value: unknown): string => session.placeholder(values.push(value));
    const begin =
      typeof executionTimeMs === 'number'
        ? before(end, parameter(Math.round(executionTimeMs * 1000)))
        : this.#dialect.began;
    const text = `INSERT INTO ${this.table} (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
       VALUES (${parameters(session, { count: 3 })}, ${begin}, ${row.success ? end : 'NULL'}, ${parameter(row.success ? 1 : 0)})`;
    if (when === 'now') await session.query(text, values);
    else session.defer({ text, values });
  }

  async update(session: MigrationSession, installedRank: number, change: HistoryChange): Promise<void> {
    const { sha256, success } = change;
    const finished = success === undefined ? [] : [`finished_at = ${success ? this.#dialect.now : 'NULL'}`];
    const checksum = sha256 === undefined ? [] : [`checksum = ${session.placeholder(2)}`];
    if (finished.length + checksum.length === 0) return;
    const id = this.#idOf(installedRank);
    // The id comes first on PostgreSQL and last on MySQL, whose parameters have no numbers.
    const values = sha256 === undefined ? [id] : session.dialect === 'mysql' ? [sha256, id] : [id, sha256];
    await session.query(
      `UPDATE ${this.table} SET ${[...checksum, ...finished].join(', ')} WHERE id = ${session.placeholder(1)}`,
      values,
    );
  }

  async remove(session: MigrationSession, installedRank: number): Promise<void> {
    await session.query(`DELETE FROM ${this.table} WHERE id = ${session.placeholder(1)}`, [
      this.#idOf(installedRank),
    ]);
  }

  /** The undo file has a name of its own: what it takes back is found by its version. */
  async #rollBack(session: MigrationSession, { version }: NewHistoryRow): Promise<void> {
    const rows = await this.list(session);
    for (const row of rows) {
      if (!version || !row.version || compareVersions(row.version, version) !== 0) continue;
      await session.query(
        `UPDATE ${this.table} SET rolled_back_at = ${this.#dialect.now} WHERE id = ${session.placeholder(1)}`,
        [this.#idOf(row.installedRank)],
      );
    }
  }

  #idOf(rank: number): string {
    const id = this.#idOfRank.get(rank);
    if (id === undefined) throw new Error(`No row ${rank} was listed of ${this.table}.`);
    return id;
  }

  #appliedOf(row: Row, installedRank: number): AppliedMigration {
    const name = row.migration_name;
    const file = name.slice(name.lastIndexOf('/') + 1);
    const [, version, description] = /^(?:V?(\d+(?:[._]\d+)*?)_+(?=\D)|R__)(.+)$/.exec(file) ?? [];
    const isFile = /\.(?:sql|[cm]?[jt]s)$/.test(name);
    return {
      installedRank,
      ...(version === undefined ? {} : { version: parseVersion(version) }),
      description: (description ?? file).replace(/\.\w+$/, '').replaceAll('_', ' '),
      type: /\.[cm]?[jt]s$/.test(name) ? 'JDBC' : 'SQL',
      script: isFile ? name : `${name}${FOLDER_FILE}`,
      ...(row.checksum === '' ? {} : { sha256: row.checksum }),
      installedBy: this.user,
      installedOn: new Date(Number(row.started_at_ms)),
      executionTimeMs: Math.max(0, Number(row.took_ms ?? 0)),
      success: row.finished === true || Number(row.finished) === 1,
    };
  }
}

/** Prisma calls a migration by its folder. */
function nameOf(script: string): string {
  return script.endsWith(FOLDER_FILE) ? script.slice(0, -FOLDER_FILE.length) : script;
}
