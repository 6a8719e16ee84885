import mariadb from 'mariadb';
import { createPool } from 'mysql2';
import { createPool as createPromisePool } from 'mysql2/promise';
import { Pool } from 'pg';
import { managePool, runInTransaction, unmanagePool } from '../../../src/index.js';
import type { MigrationSession } from '../../../src/migrations/database/session.js';
import { failureOf, statements, useServer } from './drivers.js';

interface AppPool {
  readonly pool: object;
  /** Runs a statement of the application on the pool, which has one connection. */
  query(sql: string): Promise<unknown>;
  end(): Promise<void>;
}

const parts = (
  url: string,
): { host: string; port: number; user: string; password: string; database: string } => {
  const { hostname: host, port, username: user, password, pathname } = new URL(url);
  return { host, port: Number(port), user, password, database: pathname.slice(1) };
};

const KINDS = {
  pg: (url: string): AppPool => {
    const pool = new Pool({ connectionString: url, max: 1 });
    return { pool, query: async (sql) => (await pool.query(sql)).rows, end: () => pool.end() };
  },
  'pg in pipeline mode': (url: string): AppPool => {
    const pool = new Pool({ connectionString: url, max: 1, pipeline: true } as object);
    return { pool, query: async (sql) => (await pool.query(sql)).rows, end: () => pool.end() };
  },
  mysql2: (url: string): AppPool => {
    const pool = createPool({ uri: url, connectionLimit: 1 });
    return {
      pool,
      query: async (sql) => (await pool.promise().query(sql))[0],
      end: () => pool.promise().end(),
    };
  },
  'mysql2/promise': (url: string): AppPool => {
    const pool = createPromisePool({
      uri: url,
      connectionLimit: 1,
      multipleStatements: true,
      rowsAsArray: true,
    });
    return {
      pool,
      query: async (sql) => (await pool.query({ sql, rowsAsArray: false }))[0],
      end: () => pool.end(),
    };
  },
  mariadb: (url: string): AppPool => {
    const pool = mariadb.createPool({ ...parts(url), connectionLimit: 1, metaAsArray: true });
    return { pool, query: async (sql) => (await pool.query(sql))[0], end: () => pool.end() };
  },
} as const;
type Kind = keyof typeof KINDS;
const GRID = (Object.keys(KINDS) as Kind[]).flatMap((kind) => [
  [kind, 'as it is'] as const,
  [kind, 'that holdfast manages'] as const,
]);

describe.each(GRID)('a pool of %s %s', (kind, how) => {
  const dialect = kind.startsWith('pg') ? 'pg' : 'mysql2';
  const server = useServer(dialect);
  const id = dialect === 'pg' ? 'pg_backend_pid()' : 'CONNECTION_ID()';
  let app: AppPool;
  const managed = how === 'that holdfast manages';
  let unmanage = (): void => {};
  const sessions: MigrationSession[] = [];
  const borrow = async (): Promise<MigrationSession> => {
    const session = await server.open({ pool: app.pool });
    sessions.push(session);
    return session;
  };
  beforeEach(async () => {
    await server.query('CREATE TABLE item (id int PRIMARY KEY)');
    app = KINDS[kind](server.db.url);
    if (!managed) return;
    const source = managePool(app.pool as never, kind === 'mariadb' ? { connectionLimit: 1 } : {});
    unmanage = () => unmanagePool(source);
  });
  afterEach(async () => {
    // A pool that is ended waits for what it has lent.
    for (const session of sessions.splice(0)) await session.end();
    unmanage();
    unmanage = () => {};
    await app.end();
    await server.query('DROP TABLE item');
  });

  test('lends one connection for the whole run', async () => {
    const session = await borrow();
    await session.query('BEGIN');
    const texts = Array.from({ length: 450 }, (_, index) => `INSERT INTO item VALUES (${index})`);
    expect(await session.run(statements(...texts))).toHaveLength(450);
    expect(await session.query(`SELECT ${id} AS id, count(*) AS n FROM item`)).toEqual([
      { id: session.backendId, n: 450 },
    ]);
    await session.query('COMMIT');
    expect(session.server.version).not.toBe('');
  });

  test('gets none back with the settings of migrations, or a transaction, or a lock', async () => {
    const session = await borrow();
    const { backendId } = session;
    await session.run(
      statements(
        dialect === 'pg' ? "SET search_path = 'public'" : "SET time_zone = '+09:00'",
        dialect === 'pg' ? 'SELECT pg_advisory_lock(1)' : "SELECT GET_LOCK('x', 0)",
        'BEGIN',
        'INSERT INTO item VALUES (1)',
      ),
    );
    await session.end();
    const setting = dialect === 'pg' ? "current_setting('search_path')" : '@@time_zone';
    const [row] = (await app.query(`SELECT ${setting} AS setting, ${id} AS id`)) as {
      setting: string;
      id: number;
    }[];
    expect(row!.setting).toBe(dialect === 'pg' ? '"$user", public' : '+00:00');
    expect(Number(row!.id)).not.toBe(backendId);
    expect(await server.query('SELECT * FROM item')).toEqual([]);
  });

  test('is told of a connection that was lost while it was lent', async () => {
    const session = await borrow();
    await server.query(
      dialect === 'pg' ? `SELECT pg_terminate_backend(${session.backendId})` : `KILL ${session.backendId}`,
    );
    while (!session.lost) await new Promise(setImmediate);
    await session.end();
    expect(await app.query('SELECT 1 AS one')).toMatchObject([{ one: 1 }]);
  });

  test('is unharmed by a statement that fails', async () => {
    const session = await borrow();
    expect(await failureOf(session.run(statements('SELECT nope')))).toMatchObject({
      code: 'STATEMENT_FAILED',
    });
    await session.end();
    expect(await app.query('SELECT 1 AS one')).toMatchObject([{ one: 1 }]);
  });

  if (dialect === 'pg')
    test('does not impose its client-side limits on a migration', async () => {
      // Of this test alone: the application of the others would be under it as well.
      Object.assign((app.pool as Pool).options, { query_timeout: 400 });
      const session = await borrow();
      await session.run(statements('SELECT pg_sleep(0.6)'));
      expect(await session.query('SELECT pg_sleep(0.6) IS NULL AS slept')).toEqual([{ slept: false }]);
    });
});

test('a migration is no part of the transaction that its caller is in', async () => {
  const pool = new Pool({ connectionString: pg.db.url, max: 2 });
  const source = managePool(pool);
  await runInTransaction(async () => {
    const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const session = await pg.open({ pool });
    expect(session.inTransaction).toBe(false);
    expect(session.backendId).not.toBe(rows[0]!.pid);
    await session.end();
  });
  unmanagePool(source);
  await pool.end();
});
const pg = useServer('pg');

test('a connection that somebody gave back inside of a transaction is destroyed and told', async () => {
  const pool = new Pool({ connectionString: pg.db.url, max: 1 });
  const client = await pool.connect();
  await client.query('BEGIN');
  client.release();
  const error = await failureOf(pg.open({ pool }));
  expect(error).toMatchObject({
    code: 'DATABASE_UNREACHABLE',
    message: expect.stringMatching(/inside a transaction/),
  });
  const session = await pg.open({ pool });
  await session.end();
  await pool.end();
});

test('a pool that has no connection left says so', async () => {
  const pool = new Pool({ connectionString: pg.db.url, max: 1 });
  const client = await pool.connect();
  // From now on, for it holds for a connection that is made as well.
  Object.assign(pool.options, { connectionTimeoutMillis: 50 });
  expect(await failureOf(pg.open({ pool }))).toMatchObject({
    code: 'DATABASE_UNREACHABLE',
    message: expect.stringMatching(/No connection of the pool was free in time/),
  });
  client.release();
  await pool.end();
});
