import {
  InvalidOptionsError,
  LeaseReclaimedError,
  managePool,
  runInTransaction,
  unmanagePool,
} from 'holdfast';
import { allowHeld } from 'holdfast/pool-monitor';
import {
  expectNoLeaks,
  type ExpectNoLeaksOptions,
  LeakedConnectionError,
  rollbackPerTest,
} from 'holdfast/testing';
import { drivers, startPg } from '../connection/driver-pools.js';
import { errorOf } from '../connection/inspect.js';
import { failureOf } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';

const pg = useDatabase();
const mysql = useMysqlDatabase();

/** Runs `body` as a runner would run a test, and answers what that test fails with. */
async function runTest(
  body: () => unknown,
  options: ExpectNoLeaksOptions = {},
): Promise<LeakedConnectionError | undefined> {
  const hooks: (() => Promise<void>)[] = [];
  const register = (hook: () => Promise<void>): unknown => hooks.push(hook);
  expectNoLeaks({ ...options, beforeEach: register, afterEach: register });
  const [before, after] = hooks;
  await before!();
  await body();
  try {
    await after!();
  } catch (error) {
    return error as LeakedConnectionError;
  }
  return undefined;
}

describe.each(drivers)('$name', (driver) => {
  test('names how many, the place, and the last statement; takes them back', async () => {
    const { managed, connect } = driver.start({ pg, mysql }, { max: 3 });
    const kept: Awaited<ReturnType<typeof connect>>[] = [];
    const error = await runTest(async () => {
      for (let count = 0; count < 2; count++) {
        const client = await connect();
        await client.query("SELECT 'secret'");
        kept.push(client);
      }
    });
    expect(error).toBeInstanceOf(LeakedConnectionError);
    expect(error!.message).toMatch(
      /^2 connections were not given back when the test ended:\n {2}2 of pool "default", taken by .+ \(test\/.+\.ts:\d+\), last statement: SELECT \?\n/,
    );
    expect(managed.leases()).toEqual([]);
    for (const client of kept) {
      const late = await failureOf(client.query('SELECT 1'));
      expect(late).toBeInstanceOf(LeaseReclaimedError);
      expect((late.cause as Error).stack).toContain('.test.ts');
      client.release();
    }
  });

  test('work that nobody awaited goes on while its statements run, and is no leak when it gives back', async () => {
    const { connect, query } = driver.start({ pg, mysql });
    let work: Promise<unknown> = Promise.resolve();
    const error = await runTest(() => {
      work = Promise.all([
        (async () => {
          const client = await connect();
          await client.query('SELECT 1');
          await client.query('SELECT 2');
          client.release();
        })(),
        runInTransaction(() => query('SELECT 1')),
      ]);
    });
    expect(error).toBeUndefined();
    await work;
  });

  test('a statement that runs longer than graceMs is cancelled, and a leak', async () => {
    const { managed, connect } = driver.start({ pg, mysql });
    let failure: Promise<Error> | undefined;
    const error = await runTest(
      async () => {
        const client = await connect();
        failure = failureOf(client.query(driver.sleep));
      },
      { graceMs: 50 },
    );
    expect(error!.message).toContain('1 connection was not given back');
    expect(await failure).toBeInstanceOf(Error);
    expect(managed.leases()).toEqual([]);
  });
});

describe('beside rollbackPerTest()', () => {
  test.each(drivers)('$name: a client of the test is a leak, one that came back is not', async (driver) => {
    const { managed, connect } = driver.start({ pg, mysql });
    const hooks: (() => Promise<void>)[] = [];
    const register = (hook: () => Promise<void>): unknown => hooks.push(hook);
    rollbackPerTest({ beforeEach: register, afterEach: register });
    const [begin, rollBack] = hooks;
    for (const order of ['inside', 'outside'] as const) {
      if (order === 'inside') await begin!();
      const error = await runTest(async () => {
        if (order === 'outside') await begin!();
        const client = await connect();
        await client.query('SELECT 1');
        client.release();
        const leaked = await connect();
        await leaked.query("SELECT 'secret'");
        if (order === 'outside') await rollBack!();
      });
      if (order === 'inside') await rollBack!();
      expect(error!.message).toMatch(/taken by .+ \(test\/.+\.ts:\d+\), last statement: SELECT \?\n/);
      expect(error!.message).toContain('1 connection was not given back');
      expect(managed.leases()).toEqual([]);
    }
  });
});

test('a transaction that has not ended is named by its method, and rolled back', async () => {
  const { pool } = startPg(pg);
  let transaction: Promise<Error> | undefined;
  const error = await runTest(async () => {
    await new Promise<void>((begun) => {
      transaction = failureOf(
        runInTransaction(
          async () => {
            await pool.query("INSERT INTO entry (label) VALUES ('kept')");
            begun();
            await new Promise(() => undefined);
          },
          { name: 'Orders.place' },
        ),
      );
    });
  });
  expect(error!.message).toContain('taken by Orders.place');
  expect(error!.message).toContain('inside a transaction, last statement: INSERT');
  expect(await transaction).toBeInstanceOf(LeaseReclaimedError);
  expect(await pg.query('SELECT FROM entry')).toEqual([]);
});

test('what was taken before the test, and what is held on purpose, may stay', async () => {
  const { pool, managed } = startPg(pg, { max: 3 });
  const before = await pool.connect();
  let held = before;
  const error = await runTest(async () => {
    held = await allowHeld('listener', () => pool.connect());
  });
  expect(error).toBeUndefined();
  expect(managed.leases()).toHaveLength(2);
  before.release();
  held.release();
});

test('a pool that the test itself manages is looked at; with pools, only those', async () => {
  const { managed } = startPg(pg);
  const takeFromAnother = async (): Promise<void> => {
    const pool = pg.pool();
    const another = managePool(pool, { name: 'another' });
    pg.defer(() => unmanagePool(another));
    const client = await pool.connect();
    pg.defer(() => {
      try {
        client.release();
      } finally {
        unmanagePool(another);
      }
    });
  };
  const error = await runTest(takeFromAnother);
  expect(error!.message).toMatch(/of pool "another", taken by takeFromAnother \(test\//);
  const ignored = await runTest(
    async () => {
      unmanagePool(managed);
      const pool = pg.pool();
      const other = managePool(pool, { name: 'other' });
      pg.defer(() => unmanagePool(other));
      const client = await pool.connect();
      pg.defer(() => client.release());
    },
    { pools: [managed] },
  );
  expect(ignored).toBeUndefined();
});

test('two tests at once are refused, and a second call for one test changes nothing', async () => {
  const { pool, managed } = startPg(pg);
  const hooks: (() => Promise<void>)[] = [];
  const register = (hook: () => Promise<void>): unknown => hooks.push(hook);
  expectNoLeaks({ beforeEach: register, afterEach: register });
  expectNoLeaks({ beforeEach: register, afterEach: register });
  const [before, after, beforeInner, afterInner] = hooks;
  await before!();
  await beforeInner!();
  await expect(before!()).rejects.toThrow('asked for a second test while the first still ran');
  await pool.connect();
  await afterInner!();
  await expect(after!()).rejects.toThrow('1 connection was not given back');
  expect(managed.leases()).toEqual([]);
});

test.each<[string, unknown, string]>([
  ['pools', { pools: [{}] }, 'expectNoLeaks options.pools'],
  ['graceMs', { graceMs: -1 }, 'expectNoLeaks options.graceMs'],
  ['one hook', { beforeEach: () => undefined }, 'takes beforeEach and afterEach together'],
])('refuses %s', (_, options, message) => {
  const error = errorOf(() => expectNoLeaks(options as ExpectNoLeaksOptions));
  expect(error).toBeInstanceOf(InvalidOptionsError);
  expect(error.message).toContain(message);
});
