import type { Pool } from 'pg';
import { AcquireTimeoutError, managePool, runInTransaction, unmanagePool } from 'holdfast';
import { ManualClock } from 'holdfast/testing';
import { failureOf, until } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();

function start() {
  const clock = new ManualClock();
  const pool = db.pool({ max: 1 });
  const managed = managePool(pool, { clock, acquireTimeoutMs: 500 });
  db.defer(() => unmanagePool(managed));
  return { clock, pool, managed };
}

const requests: Readonly<Record<string, (pool: Pool) => Promise<unknown>>> = {
  'pool.connect()': async (pool) => (await pool.connect()).release(),
  'pool.connect(callback)': (pool) =>
    new Promise((resolve, reject) => {
      pool.connect((error, client, done) => (client ? (done(), resolve(client)) : reject(error!)));
    }),
  'pool.query()': (pool) => pool.query('SELECT 1'),
  'pool.query(callback)': (pool) =>
    new Promise((resolve, reject) => {
      pool.query('SELECT 1', (error, result) => (error ? reject(error) : resolve(result)));
    }),
  'a transaction': (pool) => runInTransaction(() => pool.query('SELECT 1'), { name: 'Orders.place' }),
};

test.each(Object.entries(requests))(
  '%s waits as long as acquireTimeoutMs, and no longer',
  async (name, request) => {
    const { clock, pool, managed } = start();
    const holder = await pool.connect();
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
    expect(error).toMatchObject({ retryable: true });
    expect(error.message).toContain('it waited 500 ms. In use 1 of 1');
    expect(error.message.includes('"Orders.place"')).toBe(name === 'a transaction');
    holder.release();
    // Whoever has given up gets nothing, and keeps nothing from the others.
    await request(pool);
    expect(managed.counts()).toMatchObject({ total: 1, inUse: 0, pending: 0 });
  },
);
