import { type Dialect, mysqlDialect, postgresDialect } from '../core/index.js';
import type { SessionStatus } from '../connection/index.js';

/** A statement that was asked of a recording data source. */
export interface RecordedStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/**
 * Answers a statement: with its rows, or, in place of a MySQL driver, with what that tells of one without rows
 * (`{ affectedRows: 1 }`); or a promise of it. What it throws is the server's error.
 */
export type AnswerStatement = (statement: RecordedStatement) => object | Promise<object>;

/** The part of a `pg.Pool`, and of its clients, that a recording data source has. */
export interface RecordingClient {
  query(
    query: string | { readonly text: string; readonly values?: readonly unknown[] },
    values?: readonly unknown[],
  ): Promise<{ rows: object[]; rowCount: number }>;
  connect(): Promise<RecordingClient>;
  release(): void;
}

type Sql = string | { readonly sql: string; readonly values?: readonly unknown[] };

/** The part of a pool of `mysql2/promise`, and of its connections, that a recording data source has. */
export interface RecordingMysql2Client {
  query(sql: Sql, values?: readonly unknown[]): Promise<[result: object, fields: object[]]>;
  execute(sql: Sql, values?: readonly unknown[]): Promise<[result: object, fields: object[]]>;
  getConnection(): Promise<RecordingMysql2Client>;
  release(): void;
}

/** The part of a pool of the `mariadb` connector, and of its connections, that a recording data source has. */
export interface RecordingMariadbClient {
  query(sql: Sql, values?: readonly unknown[]): Promise<object>;
  execute(sql: Sql, values?: readonly unknown[]): Promise<object>;
  getConnection(): Promise<RecordingMariadbClient>;
  release(): Promise<void>;
}

/** What stands in for the pool of each driver. */
export interface RecordingClients {
  readonly pg: RecordingClient;
  readonly mysql2: RecordingMysql2Client;
  readonly mariadb: RecordingMariadbClient;
}

/** The drivers whose pools a recording data source can stand in for. */
export const RECORDING_DRIVERS = ['pg', 'mysql2', 'mariadb'] as const;

/** One of {@link RECORDING_DRIVERS}. */
export type RecordingDriver = (typeof RECORDING_DRIVERS)[number];

export function dialectOf(driver: RecordingDriver): Dialect {
  return driver === 'pg' ? postgresDialect : mysqlDialect;
}

/** Where a transaction stands after a statement of it failed: PostgreSQL takes no other, MySQL undoes that one alone. */
export function statusAfter(error: unknown, { name }: Dialect): SessionStatus {
  if (name === 'postgres') return 'failed';
  const { code, errno } = Object(error) as { code?: unknown; errno?: unknown };
  // The server rolls back the victim of a deadlock as a whole.
  return code === 'ER_LOCK_DEADLOCK' || errno === 1213 ? 'idle' : 'in transaction';
}

type Run = (statement: RecordedStatement) => Promise<object>;

/** The driver's way to ask, and to be answered. */
export function clientOf<D extends RecordingDriver>(driver: D, run: Run): RecordingClients[D] {
  return CLIENTS[driver](run);
}

const CLIENTS: { readonly [D in RecordingDriver]: (run: Run) => RecordingClients[D] } = {
  pg(run) {
    const client: RecordingClient = {
      async query(query, values) {
        const asked = typeof query === 'string' ? { text: query } : query;
        const rows = await run({ text: asked.text, values: values ?? asked.values ?? [] });
        return { rows: [...(rows as object[])], rowCount: (rows as object[]).length };
      },
      connect: () => Promise.resolve(client),
      release: () => {},
    };
    return client;
  },
  mysql2(run) {
    const send: RecordingMysql2Client['query'] = async (...args) => [await run(read(...args)), []];
    const client: RecordingMysql2Client = {
      query: send,
      execute: send,
      getConnection: () => Promise.resolve(client),
      release: () => {},
    };
    return client;
  },
  mariadb(run) {
    const send: RecordingMariadbClient['query'] = (...args) => run(read(...args));
    const client: RecordingMariadbClient = {
      query: send,
      execute: send,
      getConnection: () => Promise.resolve(client),
      release: () => Promise.resolve(),
    };
    return client;
  },
};

function read(sql: Sql, values?: readonly unknown[]): RecordedStatement {
  const asked = typeof sql === 'string' ? { sql } : sql;
  return { text: asked.sql, values: values ?? asked.values ?? [] };
}
