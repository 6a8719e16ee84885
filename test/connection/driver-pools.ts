import type { Pool as MariadbPool } from 'mariadb';
import * as mariadb from 'mariadb';
import mysql, { type Pool as CallbackPool, type PoolConnection as CallbackConnection } from 'mysql2';
import type { Pool as PromisePool } from 'mysql2/promise';
import type { Pool as PgPool, PoolClient } from 'pg';
import { type ManagedPool, managePool, type ManagePoolOptions, unmanagePool } from 'holdfast';
import { ManualClock } from 'holdfast/testing';
import type { TestDatabase } from '../harness/database.js';
import type { MysqlDatabase } from '../harness/mysql-database.js';

/** The databases of a test file. */
export interface Databases {
  readonly pg: TestDatabase;
  readonly mysql: MysqlDatabase;
}

export interface StartOptions extends Omit<ManagePoolOptions, 'clock' | 'connectionLimit'> {
  readonly max?: number;
  /** How long the driver itself lets a request wait once it has a connection, where it has such a limit. */
  readonly driverTimeoutMs?: number;
}

/** A connection that was handed out, as far as the drivers are alike. */
export interface Client {
  query(sql: string): Promise<unknown>;
  release(): void;
}

/** A managed pool of one driver. */
export interface Started {
  readonly managed: ManagedPool;
  readonly clock: ManualClock;
  connect(): Promise<Client>;
  query(sql: string): Promise<unknown>;
}

/** A driver and the style that it is called in. */
export interface Driver {
  readonly name: string;
  readonly database: 'pg' | 'mysql';
  /** Sleeps on the server until it is cancelled. */
  readonly sleep: string;
  start(databases: Databases, options?: StartOptions): Started;
}

interface Managed<P> {
  readonly pool: P;
  readonly managed: ManagedPool;
  readonly clock: ManualClock;
}

export function startPg(db: TestDatabase, options: StartOptions = {}): Managed<PgPool> {
  const { max = 2, driverTimeoutMs, ...more } = options;
  const clock = new ManualClock();
  const pool = db.pool({ max });
  if (driverTimeoutMs !== undefined) {
    // It is the limit of a new connection as well, which a machine with much to do does not meet.
    pool.once('connect', () => Object.assign(pool.options, { connectionTimeoutMillis: driverTimeoutMs }));
  }
  const managed = managePool(pool, { ...more, clock });
  db.defer(() => unmanagePool(managed));
  return { pool, managed, clock };
}

export function startMysql2(
  db: MysqlDatabase,
  options: StartOptions = {},
): Managed<CallbackPool> & { readonly promised: PromisePool } {
  const { max = 2, driverTimeoutMs: _none, ...more } = options;
  const clock = new ManualClock();
  const pool = mysql.createPool({ uri: db.url, connectionLimit: max });
  const managed = managePool(pool, { ...more, clock });
  db.defer(() => new Promise<void>((resolve) => pool.end(() => resolve())));
  db.defer(() => unmanagePool(managed));
  return { pool, managed, clock, promised: pool.promise() };
}

export function startMariadb(db: MysqlDatabase, options: StartOptions = {}): Managed<MariadbPool> {
  const { max = 2, driverTimeoutMs, ...more } = options;
  const clock = new ManualClock();
  const { hostname: host, port, username: user, password, pathname } = new URL(db.url);
  const pool = mariadb.createPool({
    host,
    port: Number(port),
    user,
    password,
    database: pathname.slice(1),
    connectionLimit: max,
    minimumIdle: 0,
    allowPublicKeyRetrieval: true,
    ...(driverTimeoutMs && { acquireTimeout: driverTimeoutMs }),
  });
  const managed = managePool(pool, { ...more, clock, connectionLimit: max });
  db.defer(() => (pool.closed ? undefined : pool.end()));
  db.defer(() => unmanagePool(managed));
  return { pool, managed, clock };
}

/** `pool.connect(callback)` as a promise, with what the callback is handed. */
export function connectPg(
  pool: PgPool,
): Promise<{ client: PoolClient; done: (error?: Error | boolean) => void }> {
  return new Promise((resolve, reject) =>
    pool.connect((error, client, done) => (client ? resolve({ client, done }) : reject(error!))),
  );
}

/** `pool.getConnection(callback)` of mysql2 as a promise. */
export function connectMysql2(pool: CallbackPool): Promise<CallbackConnection> {
  return new Promise((resolve, reject) =>
    pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection))),
  );
}

/** `query(sql, callback)` of mysql2 as a promise. */
export function queryMysql2(asked: CallbackPool | CallbackConnection, sql: string): Promise<unknown> {
  return new Promise((resolve, reject) =>
    asked.query(sql, (error, rows) => (error ? reject(error) : resolve(rows))),
  );
}

const ofPg = (client: PoolClient): Client => ({
  query: (sql) => client.query(sql),
  release: () => client.release(),
});

const ofPromises = (connection: { query(sql: string): Promise<unknown>; release(): unknown }): Client => ({
  query: (sql) => connection.query(sql),
  release: () => void connection.release(),
});

export const drivers: readonly Driver[] = [
  {
    name: 'pg',
    database: 'pg',
    sleep: 'SELECT pg_sleep(600)',
    start({ pg }, options) {
      const { pool, ...rest } = startPg(pg, options);
      return {
        ...rest,
        connect: async () => ofPg(await pool.connect()),
        query: (sql) => pool.query(sql),
      };
    },
  },
  {
    name: 'pg with callbacks',
    database: 'pg',
    sleep: 'SELECT pg_sleep(600)',
    start({ pg }, options) {
      const { pool, ...rest } = startPg(pg, options);
      return {
        ...rest,
        async connect() {
          const { client, done } = await connectPg(pool);
          return { query: (sql) => client.query(sql), release: () => done() };
        },
        query: (sql) =>
          new Promise((resolve, reject) =>
            pool.query(sql, (error, result) => (error ? reject(error) : resolve(result))),
          ),
      };
    },
  },
  {
    name: 'mysql2 with callbacks',
    database: 'mysql',
    sleep: 'SELECT SLEEP(600)',
    start({ mysql: db }, options) {
      const { pool, promised: _, ...rest } = startMysql2(db, options);
      return {
        ...rest,
        async connect() {
          const connection = await connectMysql2(pool);
          return { query: (sql) => queryMysql2(connection, sql), release: () => connection.release() };
        },
        query: (sql) => queryMysql2(pool, sql),
      };
    },
  },
  {
    name: 'mysql2/promise',
    database: 'mysql',
    sleep: 'SELECT SLEEP(600)',
    start({ mysql: db }, options) {
      const { pool: _, promised, ...rest } = startMysql2(db, options);
      return {
        ...rest,
        connect: async () => ofPromises(await promised.getConnection()),
        query: (sql) => promised.query(sql),
      };
    },
  },
  {
    name: 'mariadb',
    database: 'mysql',
    sleep: 'SELECT SLEEP(600)',
    start({ mysql: db }, options) {
      const { pool, ...rest } = startMariadb(db, options);
      return {
        ...rest,
        connect: async () => ofPromises(await pool.getConnection()),
        query: (sql) => pool.query(sql),
      };
    },
  },
];
