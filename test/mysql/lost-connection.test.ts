import type { Pool as MariadbPool } from 'mariadb';
import { type HoldfastError, runInTransaction } from 'holdfast';
import {
  type MysqlWorkOptions,
  startMariadbPool,
  startMysqlDataSource,
  startMysqlPool,
} from '../conformance/mysql-pools.js';
import { useMysqlDatabase, type MysqlDatabase } from '../harness/mysql-database.js';
import { until } from '../transaction/entries.js';
import { useLog } from '../transaction/log.js';

const db = useMysqlDatabase();
useLog();

type Query = (sql: string) => Promise<unknown>;
type Open = (db: MysqlDatabase, options: MysqlWorkOptions) => Query | Promise<Query>;

async function onMariadbConnection(pool: MariadbPool, sql: string): Promise<unknown> {
  const connection = await pool.getConnection();
  return connection.query(sql).finally(() => connection.release());
}

/** Each asks once, on whatever connection there is. */
const ways: Readonly<Record<string, Open>> = {
  'mysql2, pool.query()': (db, options) => {
    const { pool } = startMysqlPool(db, options);
    return (sql) => pool.query(sql);
  },
  'mysql2, pool.execute()': (db, options) => {
    const { pool } = startMysqlPool(db, options);
    return (sql) => pool.execute(sql);
  },
  'mysql2, pool.getConnection()': (db, options) => {
    const { pool } = startMysqlPool(db, options);
    return async (sql) => {
      const connection = await pool.getConnection();
      return connection.query(sql).finally(() => connection.release());
    };
  },
  'mysql2, pool.query() with a callback': (db, options) => {
    const { callbackPool } = startMysqlPool(db, options);
    return (sql) =>
      new Promise((resolve, reject) =>
        callbackPool.query(sql, (error: unknown, rows: unknown) =>
          error ? reject(error as Error) : resolve(rows),
        ),
      );
  },
  'mariadb, pool.query()': (db, options) => {
    const { pool } = startMariadbPool(db, options);
    return (sql) => pool.query(sql);
  },
  'mariadb, pool.getConnection()': (db, options) => {
    const { pool } = startMariadbPool(db, options);
    return (sql) => onMariadbConnection(pool, sql);
  },
  TypeORM: async (db, options) => {
    const { dataSource } = await startMysqlDataSource(db, 'mariadb', options);
    return (sql) => dataSource.query(sql);
  },
};

/** The driver is told of a closed connection or of a reset one, as it happens. */
const LOST = ['PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'ER_SOCKET_UNEXPECTED_CLOSE'];
const WAIT = `SELECT GET_LOCK('gate', 60)`;
const failureOf = (call: Promise<unknown>) =>
  call.then(
    () => Promise.reject(new Error('it was expected to reject')),
    (error: Error & { code?: string; errno?: number; fatal?: boolean }) => error,
  );

describe.each(Object.entries(ways))('a connection is lost while a statement runs: %s', (_, open) => {
  let query: Query;
  let lose: Readonly<Record<'killed' | 'cut', () => Promise<unknown>>>;
  beforeEach(async () => {
    await db.query('DELETE FROM entry');
    const other = await db.connection();
    await other.query(WAIT);
    const proxy = await db.proxy();
    query = await open(db, { url: proxy.url(db.url), max: 1 });
    // The server may list the other one's statement for a moment after its answer.
    const waiting = async () =>
      (await db.sessions()).filter(({ id, query: text }) => text === WAIT && id !== other.threadId);
    const reached = () => until(async () => (await waiting()).length === 1);
    lose = {
      killed: () => reached().then(async () => db.query(`KILL ${(await waiting())[0]!.id}`)),
      cut: () => reached().then(() => proxy.cut()),
    };
  });

  /** Runs a statement that waits, and loses its connection. */
  const lost = async (how: 'killed' | 'cut') => {
    const failure = failureOf(query(WAIT));
    await lose[how]();
    return failure;
  };
  const partsOf = ({ name, message, code, errno, fatal }: Awaited<ReturnType<typeof lost>>) => ({
    // The connector names the thread and what it ran.
    message: message.replace(/\d+/g, 'N'),
    name,
    code,
    errno,
    fatal,
  });

  /** {@link lost} inside a transaction, whose method rejects with it. */
  const lostInside = async (how: 'killed' | 'cut') => {
    let failure: unknown;
    const rejection = await failureOf(
      runInTransaction(async () => {
        await query(`INSERT INTO entry (label) VALUES ('lost')`);
        failure = await lost(how);
        throw failure;
      }),
    );
    expect(rejection).toBe(failure);
    expect(await db.query('SELECT label FROM entry')).toEqual([]);
    return rejection;
  };

  test('by KILL: the statement and the method reject with what the driver says outside a transaction', async () => {
    const outside = await lost('killed');
    expect(outside).toMatchObject({ code: expect.any(String), fatal: true });
    expect(partsOf(await lostInside('killed'))).toEqual(partsOf(outside));
  });

  test('by the network: the statement and the method reject with the driver’s own error', async () => {
    const error = await lostInside('cut');
    expect(LOST).toContain(error.code);
    expect(error.fatal).toBe(true);
    // TypeORM's error has the driver's in it.
    const { driverError } = error as { driverError?: { code?: string } };
    expect(LOST).toContain((driverError ?? error).code);
  });

  test('swallowed: the next statement and the caller are told, with the driver’s error as the cause', async () => {
    let first: { code?: string } = {};
    const told = await failureOf(
      runInTransaction(async () => {
        await query(`INSERT INTO entry (label) VALUES ('lost')`);
        first = await lost('killed');
        const next = await failureOf(query('SELECT 1'));
        expect(codeAndCause(next)).toEqual(['TRANSACTION_CLOSED', first.code]);
      }),
    );
    expect(codeAndCause(told)).toEqual(['UNEXPECTED_ROLLBACK', first.code]);
    expect(await db.query('SELECT label FROM entry')).toEqual([]);
  });
});

/** TypeORM wraps the driver's error, and what holdfast says of it. */
function codeAndCause(error: Error): [string, string | undefined] {
  const { code, cause } = error as HoldfastError & { cause?: { code?: string } };
  return [code, cause?.code];
}
