import mysql, { type PoolConnection, type PoolOptions } from 'mysql2';
import type { Connection } from 'mysql2/promise';
import { runInTransaction, unmanagePool, managePool } from 'holdfast';
import { connectMysql2 } from '../connection/driver-pools.js';
import { failureOf } from '../conformance/observing.js';
import { mysqlLabelsIn } from '../conformance/mysql-ways-in.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';

const db = useMysqlDatabase();
beforeEach(() => db.truncate());

function startPool(options: PoolOptions = {}): mysql.Pool {
  const pool = mysql.createPool({ uri: db.url, ...options });
  const managed = managePool(pool);
  db.defer(() => new Promise<void>((resolve) => pool.end(() => resolve())));
  db.defer(() => unmanagePool(managed));
  return pool;
}

/** Runs `work` with the promises of a connection, inside a transaction and, to compare, outside. */
async function bothWays<T>(
  work: (promised: Connection, connection: PoolConnection) => Promise<T>,
  options?: PoolOptions,
): Promise<{ inside: T; outside: T }> {
  const pool = startPool(options);
  const once = async (): Promise<T> => {
    const connection = await connectMysql2(pool);
    try {
      return await work(connection.promise() as unknown as Connection, connection);
    } finally {
      connection.release();
    }
  };
  return { outside: await once(), inside: await runInTransaction(once) };
}

test.each<[string, (promised: Connection) => Promise<unknown[]>]>([
  ['rows and fields', (promised) => promised.query('SELECT ? AS one, 2 AS two', [1])],
  ['a query as an object', (promised) => promised.query({ sql: 'SELECT ? AS one', values: [1] })],
  ['what a statement without rows answers', (promised) => promised.query('DO 1')],
  ['values that are undefined', (promised) => promised.query('SELECT 1 AS one', undefined)],
  ['several results', (promised) => promised.query('SELECT 1 AS a; SELECT 2 AS b')],
  ['execute()', (promised) => promised.execute('SELECT ? AS one', [1])],
])('%s', async (_, work) => {
  const { inside, outside } = await bothWays(async (promised) => withoutFlags(await work(promised)), {
    multipleStatements: true,
  });
  expect(inside).toEqual(outside);
});

/** An answer without the server's flags, which tell of the transaction, and without the packets that it was read from. */
function withoutFlags(answer: unknown[]): unknown {
  const comparable = JSON.stringify(answer, (key, value: unknown) =>
    key === 'serverStatus' || key.startsWith('_') ? undefined : value,
  );
  return { length: answer.length, answer: comparable };
}

describe('an error', () => {
  const failing = 'SELECT 1 FROM does_not_exist';
  async function whoeverAsks(promised: Connection): Promise<unknown> {
    return await promised.query(failing);
  }

  test('has the stack of whoever asked', async () => {
    const { inside, outside } = await bothWays((promised) => failureOf(whoeverAsks(promised)));
    for (const error of [inside, outside]) {
      expect(error.stack).toMatch(/^Error: .*does_not_exist.*\n {4}at /);
      expect(error.stack).toContain('whoeverAsks');
      expect(error).toMatchObject({ code: 'ER_NO_SUCH_TABLE', sql: failing });
    }
    expect(inside.stack).not.toContain('mysql2-transaction-connection');
  });

  test('keeps its own stack where the pool has trace: false', async () => {
    const { inside, outside } = await bothWays((promised) => failureOf(whoeverAsks(promised)), {
      trace: false,
    });
    for (const error of [inside, outside]) expect(error.stack).not.toContain('whoeverAsks');
  });

  test('a callback is refused', async () => {
    const { inside, outside } = await bothWays(async (promised) => {
      const query = promised.query.bind(promised) as (...args: unknown[]) => unknown;
      return failureOf((async () => query('SELECT 1', () => {}))());
    });
    expect(inside.message).toBe(outside.message);
    expect(inside.message).toContain('Callback function is not available');
  });

  test('what is no statement is refused by a rejection', async () => {
    const { inside, outside } = await bothWays((promised) =>
      failureOf(promised.query(undefined as unknown as string)),
    );
    expect(inside.message).toBe(outside.message);
  });

  test('of ours, after the end of the transaction, is not replaced', async () => {
    const pool = startPool();
    let late: Connection | undefined;
    await runInTransaction(async () => {
      const connection = await connectMysql2(pool);
      late = connection.promise() as unknown as Connection;
      await late.query("INSERT INTO entry (label) VALUES ('a')");
      connection.release();
    });
    expect(await failureOf(late!.query("INSERT INTO entry (label) VALUES ('late')"))).toMatchObject({
      code: 'TRANSACTION_CLOSED',
    });
    expect(await mysqlLabelsIn(db)).toEqual(['a']);
  });
});

test('another class of promises is used', async () => {
  class OtherPromise<T> extends Promise<T> {}
  const { inside, outside } = await bothWays(async (_, connection) => {
    const other = connection.promise(OtherPromise as unknown as PromiseConstructor);
    const asked = other.query('SELECT 1 AS one');
    const [rows] = await asked;
    return { rows, isOther: (asked as Promise<unknown>) instanceof OtherPromise };
  });
  expect(inside).toEqual({ rows: [{ one: 1 }], isOther: true });
  expect(outside).toEqual(inside);
});

test('START TRANSACTION and ROLLBACK on it are a savepoint', async () => {
  const pool = startPool();
  await runInTransaction(async () => {
    const connection = await connectMysql2(pool);
    const promised = connection.promise();
    await promised.query("INSERT INTO entry (label) VALUES ('kept')");
    await promised.query('START TRANSACTION');
    await promised.query("INSERT INTO entry (label) VALUES ('undone')");
    await promised.query('ROLLBACK');
    connection.release();
  });
  expect(await mysqlLabelsIn(db)).toEqual(['kept']);
});
