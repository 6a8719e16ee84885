import type { Pool, PoolClient } from 'pg';
import { runInTransaction, setLogger } from 'holdfast';
import { LeaseReclaimedError } from 'holdfast/pool-monitor';
import { until } from '../../conformance/observing.js';
import { useDatabase } from '../../harness/database.js';
import { WatchedPool } from './watched-pool.js';

const db = useDatabase();
let pool: Pool;
let watched: WatchedPool;
let warnings: string[];

beforeEach(() => {
  warnings = [];
  const note = (_fields: object, message: string): void => void warnings.push(message);
  setLogger({ debug: () => {}, info: () => {}, warn: note, error: note });
});
afterEach(async () => {
  await watched.end();
  setLogger(undefined);
});

function watch(mode: 'off' | 'dry-run' | 'on'): void {
  pool = db.pool({ max: 2 });
  watched = new WatchedPool(pool, { reclaim: { mode } });
}

async function leakTwo(): Promise<PoolClient[]> {
  return [await pool.connect(), await pool.connect()];
}

test('off is the default: nothing is taken back, nothing is said', async () => {
  pool = db.pool({ max: 2 });
  watched = new WatchedPool(pool);
  const clients = await leakTwo();
  watched.clock.advance(3_600_000);
  expect(warnings).toEqual([]);
  for (const client of clients) client.release();
});

test('dry-run says what would be taken back, once', async () => {
  watch('dry-run');
  const clients = await leakTwo();
  watched.clock.advance(3_600_000);
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toMatch(
    /^holdfast: would take back a connection of pool "shop" that leakTwo \(test\/.*:\d+\) took 5 min ago \(reclaim: dry-run\)$/,
  );
  expect(await clients[0]!.query('SELECT 1')).toMatchObject({ rowCount: 1 });
  for (const client of clients) client.release();
});

test('on: the connection is destroyed, the next caller gets a fresh one, the zombie a named error with its place', async () => {
  watch('on');
  const [zombie, other] = await leakTwo();
  await zombie!.query('BEGIN');
  await zombie!.query("INSERT INTO entry (label) VALUES ('zombie')");
  const waiter = pool.connect();
  watched.clock.advance(301_000);
  const fresh = await waiter;
  const { rows } = await fresh.query("SELECT 1 FROM entry WHERE label = 'zombie'");
  expect(rows).toEqual([]);

  const error = await zombie!.query('SELECT 1').catch((thrown: unknown) => thrown as Error);
  expect(error).toBeInstanceOf(LeaseReclaimedError);
  expect(error).toMatchObject({ code: 'LEASE_RECLAIMED' });
  expect((error as LeaseReclaimedError).message).toContain(
    'took back a connection of pool "shop" that leakTwo',
  );
  expect(((error as LeaseReclaimedError).cause as Error).stack).toContain('leakTwo');
  // In its finally block it does what it should, too late: that must not hide its own error, nor free another's lease.
  expect(() => zombie!.release()).not.toThrow();
  // It has used and released once what was its own when it took it.
  const kinds = watched.events.map(({ finding }) => finding.kind);
  expect(kinds).not.toContain('stale-use');
  expect(kinds).not.toContain('double-release');
  expect(await fresh.query('SELECT 1')).toMatchObject({ rowCount: 1 });
  fresh.release();
  other!.release();
});

test('what runs on it is cancelled', async () => {
  watch('on');
  const [zombie, other] = await leakTwo();
  const cursor = zombie!.query('SELECT pg_sleep(60)').catch((error: unknown) => error);
  const runs = async (): Promise<boolean> =>
    (
      await db.query(
        "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active' AND datname = current_database()",
      )
    ).length > 0;
  await until('it to run', runs);
  // It runs, which is activity: only the collector, or a test, knows that nobody will ever read it.
  const [lease] = watched.managed.leases();
  await watched.managed.reclaim(lease!, new LeaseReclaimedError('taken back by the test'));
  expect(await cursor).toBeInstanceOf(Error);
  await until('the end of the statement on the server', async () => {
    return !(await runs());
  });
  zombie!.release();
  other!.release();
});

test('a transaction is rolled back, and its caller told', async () => {
  watch('off');
  const outcome = runInTransaction(
    async () => {
      await pool.query("INSERT INTO entry (label) VALUES ('never')");
      await new Promise(() => {});
    },
    { dataSource: 'shop', name: 'Order.place' },
  ).catch((error: unknown) => error);
  while (watched.managed.leases().length === 0) await new Promise(setImmediate);
  await watched.managed.reclaim(
    watched.managed.leases()[0]!,
    new LeaseReclaimedError('taken back by the test'),
  );
  expect(await outcome).toBeInstanceOf(LeaseReclaimedError);
  expect(await db.query("SELECT 1 FROM entry WHERE label = 'never'")).toEqual([]);
  expect(watched.managed.leases()).toEqual([]);
});

test('a pool that is not nearly full keeps its leaks', async () => {
  pool = db.pool({ max: 10 });
  watched = new WatchedPool(pool, { reclaim: { mode: 'on' } });
  const clients = await leakTwo();
  watched.clock.advance(3_600_000);
  expect(warnings).toEqual([]);
  for (const client of clients) client.release();
});
