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

/** The part of a connection of `mysql2/promise` that a recording data source has. */
export interface RecordingMysql2Connection {
  query(sql: Sql, values?: readonly unknown[]): Promise<[result: object, fields: object[]]>;
  execute(sql: Sql, values?: readonly unknown[]): Promise<[result: object, fields: object[]]>;
  /** Inside a transaction a savepoint, with `commit` and `rollback`; outside the statement START TRANSACTION. */
  beginTransaction(): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  release(): void;
}

/** The part of a pool of `mysql2/promise` that a recording data source has. */
export interface RecordingMysql2Client extends Pick<RecordingMysql2Connection, 'query' | 'execute'> {
  getConnection(): Promise<RecordingMysql2Connection>;
}

/** The part of a connection of the `mariadb` connector that a recording data source has. */
export interface RecordingMariadbConnection {
  query(sql: Sql, values?: readonly unknown[]): Promise<object>;
  execute(sql: Sql, values?: readonly unknown[]): Promise<object>;
  /** Inside a transaction a savepoint, with `commit` and `rollback`; outside the statement START TRANSACTION. */
  beginTransaction(): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  release(): Promise<void>;
}

/** The part of a pool of the `mariadb` connector that a recording data source has. */
export interface RecordingMariadbClient extends Pick<RecordingMariadbConnection, 'query' | 'execute'> {
  getConnection(): Promise<RecordingMariadbConnection>;
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

/** Answers a statement, in the transaction that it is asked in. */
type Run = (statement: RecordedStatement) => Promise<object>;

interface Asked {
  readonly run: Run;
  /** Lends a connection of MySQL, in the transaction that it is asked for in. */
  readonly lend: () => RecordingMariadbConnection;
}

/** The driver's way to ask, and to be answered. */
export function clientOf<D extends RecordingDriver>(driver: D, asked: Asked): RecordingClients[D] {
  return CLIENTS[driver](asked);
}

const CLIENTS: { readonly [D in RecordingDriver]: (asked: Asked) => RecordingClients[D] } = {
  pg({ run }) {
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
  mysql2: ({ lend }) => ({
    query: (...args) => asMysql2(lend()).query(...args),
    execute: (...args) => asMysql2(lend()).execute(...args),
    getConnection: () => Promise.resolve(asMysql2(lend())),
  }),
  mariadb: ({ lend }) => ({
    query: (...args) => lend().query(...args),
    execute: (...args) => lend().execute(...args),
    getConnection: () => Promise.resolve(lend()),
  }),
};

function asMysql2(connection: RecordingMariadbConnection): RecordingMysql2Connection {
  return {
    query: async (...args) => [await connection.query(...args), []],
    execute: async (...args) => [await connection.execute(...args), []],
    beginTransaction: () => connection.beginTransaction(),
    commit: () => connection.commit(),
    rollback: () => connection.rollback(),
    release: () => void connection.release().catch(() => {}),
  };
}

/** A connection outside of transactions: whatever it is asked is a statement. */
export function mysqlConnection(run: Run): RecordingMariadbConnection {
  const send: RecordingMariadbConnection['query'] = (sql, values) => {
    const asked = typeof sql === 'string' ? { sql } : sql;
    return run({ text: asked.sql, values: values ?? asked.values ?? [] });
  };
  const control = async (text: string): Promise<void> => void (await run({ text, values: [] }));
  return {
    query: send,
    execute: send,
    beginTransaction: () => control('START TRANSACTION'),
    commit: () => control('COMMIT'),
    rollback: () => control('ROLLBACK'),
    release: () => Promise.resolve(),
  };
}
