import type { Pool, PoolConfig } from 'pg';
import QueryStream from 'pg-query-stream';
import {
  managePool,
  runInTransaction,
  runOutsideTransaction,
  SelfDeadlockError,
  unmanagePool,
  type TransactionOptions,
} from 'holdfast';
import { signal, until } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
afterEach(() => db.truncate());

function manage(name: string, options: PoolConfig = {}): Pool {
  const pool = db.pool({ max: 1, ...options });
  const managed = managePool(pool, { name });
  db.defer(() => unmanagePool(managed));
  return pool;
}

const insert = (label: string, into: Pool): Promise<unknown> =>
  into.query('INSERT INTO entry (label) VALUES ($1)', [label]);
const labels = async (): Promise<string[]> =>
  (await db.query<{ label: string }>('SELECT label FROM entry ORDER BY id')).map(({ label }) => label);

describe('transactions of two pools that ask for one another’s connections', () => {
  /** Each has its own pool's only connection before it asks for the other's. */
  const cross = async (ask: (dataSource: 'a' | 'b', pool: Pool) => Promise<unknown>) => {
    const pools = { a: manage('a'), b: manage('b') };
    const [hasA, hasB] = [signal(), signal()];
    const run = (own: 'a' | 'b', other: 'a' | 'b') =>
      runInTransaction(
        async () => {
          await insert(`of ${own}`, pools[own]);
          (own === 'a' ? hasA : hasB).send();
          await Promise.all([hasA.sent, hasB.sent]);
          await ask(other, pools[other]);
        },
        { dataSource: own, name: `holds ${own}` },
      );
    return Promise.allSettled([run('a', 'b'), run('b', 'a')]);
  };

  test.each<[string, (dataSource: 'a' | 'b', pool: Pool) => Promise<unknown>]>([
    ['a transaction', (dataSource, pool) => runInTransaction(() => insert('inner', pool), { dataSource })],
    ['a statement', (_, pool) => insert('inner', pool)],
    ['a client', async (_, pool) => (await pool.connect()).release()],
  ])('%s: one of the two is refused, the other goes on', async (_what, ask) => {
    const ends = await cross(ask);

    const [refused, ...others] = ends.filter(
      ({ status }) => status === 'rejected',
    ) as PromiseRejectedResult[];
    expect(others).toEqual([]);
    expect(refused!.reason).toBeInstanceOf(SelfDeadlockError);
    expect((refused!.reason as Error).message).toMatch(
      /of pool "[ab]", but all 1 are held by .*"holds [ab]"/,
    );
    expect((await labels()).filter((label) => label.startsWith('of'))).toHaveLength(1);
  });
});

test('a method that reads a stream waits for its REQUIRES_NEW, busy as its connection is', async () => {
  const pool = manage('default');
  const reading = runInTransaction(async () => {
    const stream = pool.query(
      new QueryStream('SELECT n FROM generate_series(1, 300) AS n', [], { batchSize: 10 }),
    );
    for await (const { n } of stream as AsyncIterable<{ n: number }>)
      await runInTransaction(() => insert(`row ${n}`, pool), { propagation: 'REQUIRES_NEW' });
  });

  await expect(reading).rejects.toBeInstanceOf(SelfDeadlockError);
  expect(await labels()).toEqual([]);
});

test('a request inside a statement that runs long is judged when the statement has ended', async () => {
  const pool = manage('default');
  const blocker = await db.client();
  await blocker.query('BEGIN; LOCK TABLE account');
  const ends: string[] = [];
  const outer = runInTransaction(async () => {
    await insert('outer', pool);
    const inner = runInTransaction(() => insert('inner', pool), { propagation: 'REQUIRES_NEW' });
    const slow = pool.query('SELECT FROM account').then(() => ends.push('slow'));
    await Promise.allSettled([slow, inner.catch((error: Error) => ends.push(error.name))]);
  });
  await until('the inner transaction to wait', () => pool.waitingCount === 1);
  await blocker.query('COMMIT');
  await outer;

  expect(ends).toEqual(['slow', 'SelfDeadlockError']);
  expect(await labels()).toEqual(['outer']);
});

test('a transaction whose earlier request was served waits for nothing: whoever needs its connection waits for it', async () => {
  const pool = manage('default', { max: 2 });
  const independent = { propagation: 'REQUIRES_NEW' } as const;
  const [served, finish, full] = [signal(), signal(), signal()];
  const first = runInTransaction(async () => {
    await insert('first', pool);
    await Promise.all([1, 2].map(() => runInTransaction(() => pool.query('SELECT 1'), independent)));
    served.send();
    await finish.sent;
  });
  await served.sent;
  const second = runInTransaction(async () => {
    await insert('second', pool);
    full.send();
    await runInTransaction(() => insert('inner', pool), independent);
  });
  await full.sent;
  await until('the inner transaction to wait', () => pool.waitingCount === 1);
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  finish.send();
  await Promise.all([first, second]);
  expect((await labels()).toSorted()).toEqual(['first', 'inner', 'second']);
});

/**
 * Nobody can tell whose a client is that is taken outside the transaction: a branch beside the one that waits may
 * release it. So it counts as one that comes back.
 */
describe('a client that is taken outside, between the transaction and a request inside it', () => {
  const outside = async (
    pool: Pool,
    work: (inner: (options?: TransactionOptions) => Promise<unknown>) => Promise<unknown>,
  ) =>
    runInTransaction(async () => {
      await insert('outer', pool);
      await runOutsideTransaction(() =>
        work((options) => runInTransaction(() => insert('inner', pool), options)),
      );
    });

  test('a sibling releases it: nobody is refused', async () => {
    const pool = manage('default', { max: 2 });
    await outside(pool, async (inner) => {
      const client = await pool.connect();
      const waiting = inner();
      await until('the inner transaction to wait', () => pool.waitingCount === 1);
      client.release();
      await waiting;
    });
    expect((await labels()).toSorted()).toEqual(['inner', 'outer']);
  });

  test('nobody releases it: the wait ends with the limit of the pool, or of the inner transaction', async () => {
    const pool = manage('default', { max: 2 });
    const stuck = outside(pool, async (inner) => {
      const client = await pool.connect();
      await inner({ timeoutMs: 50 }).finally(() => client.release());
    });
    await expect(stuck).rejects.toMatchObject({ code: 'TRANSACTION_TIMEOUT' });
    await until(
      'the pool to be at rest',
      () => pool.waitingCount === 0 && pool.idleCount === pool.totalCount,
    );
  });
});
