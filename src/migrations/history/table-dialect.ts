import { type MigrationSession, PACKET_BEGAN } from '../database/session.js';

/** What differs between databases in the tables that holdfast keeps. */
export interface TableDialect {
  /** A {@link SessionPlace}. */
  readonly whereAmI: string;
  /** The server's clock, which is the same for every session, whatever its time zone is. */
  readonly serverTime: string;
  /** The type of a point in time with microseconds. */
  readonly timeType: string;
  /** Options after the closing bracket of CREATE TABLE. */
  readonly tableOptions: string;
  /** When what the row of the history travels with began, as {@link serverTime} writes it. */
  readonly began: string;
  /** The milliseconds since. */
  readonly msSinceBegan: string;
  /** Milliseconds since 1970 of a `timestamp` column that was written in the session's time zone. */
  readonly epochOf: (column: string) => string;
  /** The reverse: what such a column holds for milliseconds since 1970. */
  readonly timestampOf: (epochMs: string) => string;
  /** Milliseconds since 1970 of a column that `serverTime` was written in. */
  readonly epochOfServerTime: (column: string) => string;
  /** How many tables of that schema and name there are. */
  readonly countTables: (schema: string, name: string) => string;
  readonly quote: (name: string) => string;
}

const postgres: TableDialect = {
  whereAmI: `SELECT current_schema()::text AS "schema", current_user::text AS "user",
    current_user::text AS "login", current_database()::text AS "database"`,
  serverTime: 'clock_timestamp()',
  timeType: 'timestamptz',
  tableOptions: '',
  // The time of BEGIN.
  began: 'now()',
  msSinceBegan: '(extract(epoch FROM clock_timestamp() - now()) * 1000)::int',
  // Flyway's column has no time zone: what stands in it is the time of the zone that the writing session had.
  epochOf: (column) =>
    `(extract(epoch FROM (${column})::timestamp AT TIME ZONE current_setting('TimeZone')) * 1000)::float8`,
  timestampOf: (epochMs) =>
    `to_timestamp(${epochMs}::float8 / 1000) AT TIME ZONE current_setting('TimeZone')`,
  epochOfServerTime: (column) => `(extract(epoch FROM ${column}) * 1000)::float8`,
  countTables: (schema, name) =>
    `SELECT count(*)::int FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ${schema} AND c.relname = ${name} AND c.relkind IN ('r', 'p')`,
  quote: (name) => `"${name.replaceAll('"', '""')}"`,
};

const mysql: TableDialect = {
  whereAmI: `SELECT DATABASE() AS \`schema\`, SUBSTRING_INDEX(CURRENT_USER(), '@', 1) AS \`user\`,
    SUBSTRING_INDEX(USER(), '@', 1) AS \`login\`, DATABASE() AS \`database\``,
  serverTime: 'UTC_TIMESTAMP(6)',
  timeType: 'DATETIME(6)',
  tableOptions: ' ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
  began: PACKET_BEGAN,
  msSinceBegan: `TIMESTAMPDIFF(MICROSECOND, ${PACKET_BEGAN}, UTC_TIMESTAMP(6)) DIV 1000`,
  epochOf: (column) => `(UNIX_TIMESTAMP(${column}) * 1000)`,
  timestampOf: (epochMs) => `FROM_UNIXTIME(${epochMs} / 1000)`,
  epochOfServerTime: (column) => `(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', ${column}) / 1000)`,
  countTables: (schema, name) =>
    `SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ${schema} AND table_name = ${name}`,
  quote: (name) => `\`${name.replaceAll('`', '``')}\``,
};

export const TABLE_DIALECTS: Readonly<Record<MigrationSession['dialect'], TableDialect>> = {
  postgres,
  mysql,
};

/** Where a session is. */
export interface SessionPlace {
  /** The schema that unqualified names are created in. */
  readonly schema: string | null;
  /** Whose rights count. */
  readonly user: string;
  /** Who logged in: on MySQL the account of `user` may be another one. */
  readonly login: string;
  readonly database: string | null;
}

/** Asks the server. */
export async function placeOf(session: MigrationSession): Promise<SessionPlace> {
  const [place] = await session.query<SessionPlace>(TABLE_DIALECTS[session.dialect].whereAmI);
  return place ?? { schema: null, user: 'unknown', login: 'unknown', database: null };
}

export interface TablePlace {
  readonly schema: string;
  readonly name: string;
}

/** Whether the table is there. */
export async function tableExists(session: MigrationSession, table: TablePlace): Promise<boolean> {
  const [isThere] = await tablesExist(session, [table]);
  return isThere!;
}

/** Creates a schema of PostgreSQL where it is missing. */
export async function createMissingSchema(session: MigrationSession, schema: string): Promise<void> {
  // IF NOT EXISTS would ask for the right to create one even where it is there.
  const found = await session.query('SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1', [schema]);
  if (found.length === 0) await session.query(`CREATE SCHEMA ${session.quote(schema)}`);
}

/** Of each of the tables whether it is there, in one query. */
export async function tablesExist(
  session: MigrationSession,
  tables: readonly TablePlace[],
): Promise<readonly boolean[]> {
  const { countTables } = TABLE_DIALECTS[session.dialect];
  const counts = tables.map((_, index) => {
    const [schema, name] = [2 * index + 1, 2 * index + 2].map((number) => session.placeholder(number));
    return `(${countTables(schema!, name!)}) AS t${index}`;
  });
  const [row] = await session.query<Record<string, number | string>>(
    `SELECT ${counts.join(', ')}`,
    tables.flatMap(({ schema, name }) => [schema, name]),
  );
  return tables.map((_, index) => Number(row?.[`t${index}`]) > 0);
}

/** `$2, $3, $4` or `?, ?, ?`: parameters from number `from` on. */
export function parameters(
  session: MigrationSession,
  { from = 1, count }: { readonly from?: number; readonly count: number },
): string {
  return Array.from({ length: count }, (_, index) => session.placeholder(from + index)).join(', ');
}
