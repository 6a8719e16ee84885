import mysql from 'mysql2';
import { AcquireTimeoutError, managePool, runInTransaction, unmanagePool } from 'holdfast';
import { ManualClock } from 'holdfast/testing';
import { failureOf, until } from '../conformance/observing.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';

const db = useMysqlDatabase();

function start(options: { acquireTimeoutMs?: number } = {}) {
  const clock = new ManualClock();
  const callbackPool = mysql.createPool({ uri: db.url, connectionLimit: 1 });
  const managed = managePool(callbackPool, { clock, ...options });
  db.defer(() => new Promise<void>((resolve) => callbackPool.end(() => resolve())));
  db.defer(() => unmanagePool(managed));
  return { clock, pool: callbackPool.promise(), callbackPool, managed };
}

const requests = {
  'pool.getConnection()': (pool) => pool.getConnection().then((connection) => connection.release()),
  'pool.query()': (pool) => pool.query('SELECT 1'),
  'pool.execute()': (pool) => pool.execute('SELECT 1'),
  'a transaction': (pool) => runInTransaction(() => pool.query('SELECT 1'), { name: 'Orders.place' }),
} satisfies Record<string, (pool: mysql.Pool extends { promise(): infer P } ? P : never) => Promise<unknown>>;

test.each(Object.entries(requests))(
  '%s waits as long as acquireTimeoutMs, and no longer',
  async (name, request) => {
    const { clock, pool, managed } = start({ acquireTimeoutMs: 500 });
    const holder = await pool.getConnection();
    const waiting = failureOf(request(pool));
    await until('it to wait', () => managed.counts().pending === 1);
    let settled = false;
    void waiting.then(() => (settled = true));

    clock.advance(499);
    await holder.query('SELECT 1');
    expect(settled).toBe(false);
    clock.advance(1);

    const error = await waiting;
    expect(error).toBeInstanceOf(AcquireTimeoutError);
    expect(error.message).toContain('In use 1 of 1');
    expect(error.message.includes('"Orders.place"')).toBe(name === 'a transaction');
    holder.release();
    // Whoever has given up gets nothing, and keeps nothing from the others.
    await request(pool);
    expect(managed.counts()).toMatchObject({ total: 1, inUse: 0, pending: 0 });
  },
);

test('without it a request waits as long as mysql2 lets it', async () => {
  const { clock, pool, managed } = start();
  const holder = await pool.getConnection();
  const waiting = pool.getConnection();
  await until('it to wait', () => managed.counts().pending === 1);
  clock.advance(1_000_000);
  expect(managed.counts().pending).toBe(1);
  holder.release();
  (await waiting).release();
});

test('another limit than the pool is managed with is refused', () => {
  const { callbackPool } = start({ acquireTimeoutMs: 500 });
  expect(() => managePool(callbackPool, { acquireTimeoutMs: 600 })).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS' }),
  );
  expect(managePool(callbackPool).name).toBe('default');
});

test('the promise pool and the callback pool are one data source', () => {
  const { callbackPool, pool, managed } = start();
  expect(managePool(pool)).toBe(managed);
  expect(managePool(callbackPool)).toBe(managed);
});

test('a pool that has ended is refused, and what waits in one that ends is told', async () => {
  const { pool, managed } = start();
  const holder = await pool.getConnection();
  const waiting = failureOf(runInTransaction(() => pool.query('SELECT 1')));
  await until('it to wait', () => managed.counts().pending === 1);
  const ended = pool.end();
  expect(await waiting).toMatchObject({ code: 'POOL_ENDED' });
  holder.release();
  await ended;
  expect(() => managePool(pool, { name: 'again' })).toThrow(expect.objectContaining({ code: 'POOL_ENDED' }));
});
