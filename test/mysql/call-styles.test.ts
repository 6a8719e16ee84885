import type { Pool as CallbackPool, PoolConnection as CallbackConnection, RowDataPacket } from 'mysql2';
import type { Pool, PoolConnection } from 'mysql2/promise';
import { runInTransaction } from 'holdfast';
import { failureOf, until } from '../conformance/observing.js';
import { startMysqlPool } from '../conformance/mysql-pools.js';
import { mysqlLabelsIn } from '../conformance/mysql-ways-in.js';
import { useWitness } from '../conformance/witness.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';

const db = useMysqlDatabase();
const witness = useWitness();
const boom = new Error('boom');
let pool: Pool;
let callbackPool: CallbackPool;
beforeEach(async () => {
  await db.truncate();
  ({ pool, callbackPool } = startMysqlPool(db, { multipleStatements: true }));
});

/** Runs `work` in a transaction that is rolled back, so that what escapes from it is seen. */
async function undone<T>(work: () => Promise<T>): Promise<T> {
  let value: T | undefined;
  const called = runInTransaction(async () => {
    value = await work();
    throw boom;
  });
  expect(await failureOf(called)).toBe(boom);
  expect(await mysqlLabelsIn(db)).toEqual([]);
  expect(witness.escaped).toEqual([]);
  return value as T;
}

const insert = 'INSERT INTO entry (label) VALUES (?)';
const select = 'SELECT label FROM entry ORDER BY id';

describe('promise style', () => {
  const calls = {
    'pool.query(sql, values)': () => pool.query(insert, ['a']),
    'pool.query({ sql, values })': () => pool.query({ sql: insert, values: ['a'] }),
    'pool.execute(sql, values)': () => pool.execute(insert, ['a']),
    'pool.execute({ sql, values })': () => pool.execute({ sql: insert, values: ['a'] }),
  };

  test.each(Object.entries(calls))('%s', async (_, call) => {
    const [rows] = await undone(async () => {
      const [result] = await call();
      expect(result).toMatchObject({ affectedRows: 1 });
      return pool.query(select);
    });
    expect(rows).toEqual([{ label: 'a' }]);
  });

  test('fields and rowsAsArray are as without a transaction', async () => {
    const query = { sql: 'SELECT 1 AS one, 2 AS two', rowsAsArray: true };
    const [rows, fields] = await undone(() => pool.query(query));
    const [expectedRows, expectedFields] = await pool.query(query);
    expect(rows).toEqual(expectedRows);
    expect(fields.map(({ name }) => name)).toEqual(expectedFields.map(({ name }) => name));
  });

  test('several statements in one text', async () => {
    const [rows] = await undone(() => pool.query<RowDataPacket[][]>('SELECT 1 AS a; SELECT 2 AS b'));
    expect(rows).toEqual([[{ a: 1 }], [{ b: 2 }]]);
  });

  test('a COMMIT behind another statement is noticed by the flags of its answer', async () => {
    const called = runInTransaction(async () => {
      await pool.query(insert, ['committed by it']);
      await pool.query('SELECT 1; COMMIT; START TRANSACTION');
      await pool.query(insert, ['after']);
    });
    expect(await failureOf(called)).toMatchObject({ code: 'TRANSACTION_CONTROL' });
    expect(await mysqlLabelsIn(db)).toEqual(['committed by it']);
  });

  test('values that cannot be bound are refused, and the transaction goes on', async () => {
    await runInTransaction(async () => {
      expect(await failureOf(pool.execute(insert, [undefined as unknown as string]))).toBeInstanceOf(
        TypeError,
      );
      await pool.execute(insert, ['kept']);
    });
    expect(await mysqlLabelsIn(db)).toEqual(['kept']);
  });

  test('a statement that cannot be prepared is told once, and the transaction goes on', async () => {
    await runInTransaction(async () => {
      expect(await failureOf(pool.execute('INSERT INTO nowhere VALUES (?)', [1]))).toMatchObject({
        code: 'ER_NO_SUCH_TABLE',
      });
      await pool.execute(insert, ['kept']);
    });
    expect(await mysqlLabelsIn(db)).toEqual(['kept']);
  });
});

describe('callback style', () => {
  test('pool.query(sql, values, callback) and pool.execute(sql, values, callback)', async () => {
    const seen = await undone(
      () =>
        new Promise((resolve, reject) => {
          callbackPool.query(insert, ['a'], (error) => {
            if (error) return reject(error);
            // A callback is part of the transaction that it was passed in.
            callbackPool.execute(select, (failure: Error | null, rows: unknown) =>
              failure ? reject(failure) : resolve(rows),
            );
          });
        }),
    );
    expect(seen).toEqual([{ label: 'a' }]);
  });

  test('pool.getConnection(callback): a transaction by hand is a savepoint', async () => {
    await runInTransaction(async () => {
      await pool.query(insert, ['outer']);
      await new Promise<void>((resolve, reject) => {
        callbackPool.getConnection((error: Error | null, connection: CallbackConnection) => {
          if (error) return reject(error);
          connection.beginTransaction(() =>
            connection.query(insert, ['undone'], () =>
              connection.rollback(() => {
                connection.release();
                resolve();
              }),
            ),
          );
        });
      });
    });
    expect(await mysqlLabelsIn(db)).toEqual(['outer']);
  });
});

describe('events and streams', () => {
  test('query() without a callback emits its rows and its end', async () => {
    const seen = await undone(async () => {
      await pool.query(insert, ['a']);
      const rows: unknown[] = [];
      await new Promise((resolve, reject) => {
        callbackPool
          // As TypeORM calls it.
          .query(select, undefined)
          .on('result', (row) => rows.push(row))
          .on('error', reject)
          .on('end', resolve);
      });
      return rows;
    });
    expect(seen).toEqual([{ label: 'a' }]);
  });

  test('stream(): other statements wait until it is read to its end', async () => {
    const order: string[] = [];
    await runInTransaction(async () => {
      await pool.query(`${insert}, (?), (?)`, ['a', 'b', 'c']);
      const stream = callbackPool.query(select).stream();
      const other = pool.query('SELECT 1').then(() => order.push('the other statement'));
      for await (const row of stream) order.push((row as { label: string }).label);
      await other;
    });
    expect(order).toEqual(['a', 'b', 'c', 'the other statement']);
  });

  test('a stream that is left before its end lets the connection go', async () => {
    await runInTransaction(async () => {
      await pool.query(`${insert}, (?), (?)`, ['a', 'b', 'c']);
      for await (const _ of callbackPool.query(select).stream({ highWaterMark: 1 })) break;
      await pool.query(insert, ['d']);
    });
    expect(await mysqlLabelsIn(db)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('an error is emitted, and the connection lives on', async () => {
    await runInTransaction(async () => {
      const query = callbackPool.query('SELECT nothing FROM nowhere');
      const error = await new Promise((resolve) => query.on('error', resolve));
      expect(error).toMatchObject({ code: 'ER_NO_SUCH_TABLE' });
      await pool.query(insert, ['kept']);
    });
    expect(await mysqlLabelsIn(db)).toEqual(['kept']);
  });

  test('one that comes after the transaction is refused through its error event', async () => {
    let late: Promise<unknown> = Promise.resolve();
    let returned = false;
    await runInTransaction(async () => {
      await pool.query(insert, ['kept']);
      late = until('the end', () => returned).then(
        () => new Promise((resolve) => callbackPool.query(insert, ['late']).on('error', resolve)),
      );
    });
    returned = true;
    expect(await late).toMatchObject({ code: 'TRANSACTION_CLOSED' });
    expect(await mysqlLabelsIn(db)).toEqual(['kept']);
  });
});

describe('prepared statements', () => {
  test('take their turn in the transaction, and are undone with it', async () => {
    await undone(async () => {
      const connection = await pool.getConnection();
      const statement = await connection.prepare(insert);
      await Promise.all([statement.execute(['a']), pool.query(insert, ['b']), statement.execute(['c'])]);
      await statement.close();
      const [rows] = await connection.query(select);
      expect(rows).toEqual([{ label: 'a' }, { label: 'b' }, { label: 'c' }]);
      connection.release();
    });
  });

  test('are refused once the transaction has ended', async () => {
    let late: Promise<unknown> = Promise.resolve();
    let returned = false;
    await runInTransaction(async () => {
      const connection = await pool.getConnection();
      const statement = await connection.prepare(insert);
      late = failureOf(until('the end', () => returned).then(() => statement.execute(['late'])));
      connection.release();
    });
    returned = true;
    expect(await late).toMatchObject({ code: 'TRANSACTION_CLOSED' });
    expect(await mysqlLabelsIn(db)).toEqual([]);
  });
});

describe('transactions by hand', () => {
  let connection: PoolConnection;
  const begins = {
    'beginTransaction()': () => connection.beginTransaction(),
    'START TRANSACTION': () => connection.query('START TRANSACTION'),
    'begin work;': () => connection.query('begin work;'),
    'an executed BEGIN': () => connection.execute('BEGIN'),
  };
  const ends = {
    commit: [() => connection.commit(), () => connection.query('/* by hand */ commit')],
    rollback: [() => connection.rollback(), () => connection.query('ROLLBACK WORK')],
  };

  const grid = Object.entries(begins).flatMap(([begin, doBegin]) =>
    Object.entries(ends).flatMap(([end, ways]) =>
      ways.map((doEnd, way) => ({ begin, end, way, doBegin, doEnd })),
    ),
  );
  test.each(grid)('$begin, then $end ($way)', async ({ end, doBegin, doEnd }) => {
    await runInTransaction(async () => {
      connection = await pool.getConnection();
      await pool.query(insert, ['before']);
      await doBegin();
      await connection.query(insert, ['by hand']);
      await doEnd();
      await pool.query(insert, ['after']);
      connection.release();
      expect(await mysqlLabelsIn(db)).toEqual([]);
    });
    expect(await mysqlLabelsIn(db)).toEqual(
      end === 'commit' ? ['before', 'by hand', 'after'] : ['before', 'after'],
    );
  });

  test.each([
    'COMMIT',
    'ROLLBACK',
    'COMMIT AND CHAIN',
    'SET autocommit = 0',
    'XA START "x"',
    'START TRANSACTION; SELECT 1',
  ])('%s of the surrounding transaction is refused', async (statement) => {
    await undone(async () => {
      await pool.query(insert, ['a']);
      expect(await failureOf(pool.query(statement))).toMatchObject({ code: 'TRANSACTION_CONTROL' });
    });
  });

  test.each(['destroy', 'end', 'changeUser', 'reset'] as const)(
    'connection.%s() is refused',
    async (method) => {
      await undone(async () => {
        const callbackConnection = await new Promise<CallbackConnection>((resolve, reject) =>
          callbackPool.getConnection((error: Error | null, lent: CallbackConnection) =>
            error ? reject(error) : resolve(lent),
          ),
        );
        expect(() => (callbackConnection as unknown as Record<string, () => void>)[method]!()).toThrow(
          expect.objectContaining({ code: 'TRANSACTION_CONTROL' }),
        );
        callbackConnection.release();
      });
    },
  );

  test('a savepoint of SQL is undone on the connection that it was set on', async () => {
    await runInTransaction(async () => {
      connection = await pool.getConnection();
      await connection.query(insert, ['kept']);
      await connection.query('SAVEPOINT mine');
      await connection.query(insert, ['undone']);
      await connection.query('ROLLBACK TO SAVEPOINT mine');
      connection.release();
    });
    expect(await mysqlLabelsIn(db)).toEqual(['kept']);
  });
});

test('the log of a failed hook holds no value of the statement', async () => {
  await runInTransaction(async () => {
    const { afterCommit } = await import('holdfast');
    afterCommit(() => pool.query("INSERT INTO account (owner) VALUES ('secret'), ('secret')"));
  });
  expect(JSON.stringify(witness)).not.toContain('secret');
});
