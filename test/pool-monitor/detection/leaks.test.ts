import type { Pool, PoolClient } from 'pg';
import { allowHeld, openRequest } from 'holdfast/pool-monitor';
import { until } from '../../conformance/observing.js';
import { useDatabase } from '../../harness/database.js';
import { WatchedPool } from './watched-pool.js';

const db = useDatabase();
let pool: Pool;
let watched: WatchedPool;
const taken: PoolClient[] = [];

beforeEach(() => {
  pool = db.pool({ max: 10 });
  watched = new WatchedPool(pool);
});
afterEach(async () => {
  for (const client of taken.splice(0)) client.release();
  await watched.end();
});

/** What a service that leaks would do. */
async function forgetsToRelease(): Promise<void> {
  const client = await pool.connect();
  taken.push(client);
  await client.query('SELECT $1::text AS who', ['ada']);
}

test('a connection without activity is suspect after 30 s and a leak after 120 s, of the line that took it', async () => {
  await forgetsToRelease();
  watched.clock.advance(29_000);
  expect(watched.lines).toEqual([]);
  watched.clock.advance(3000);
  expect(watched.lines).toEqual(['opened suspect']);
  watched.clock.advance(90_000);
  expect(watched.lines).toEqual(['opened suspect', 'opened leak', 'closed suspect']);

  const leak = watched.finding('leak');
  expect(leak).toMatchObject({ severity: 'warning', certainty: 'likely', count: 1, pool: 'shop' });
  expect(leak.site).toMatch(/^forgetsToRelease \(test\/pool-monitor\/detection\/leaks\.test\.ts:\d+\)$/);
  expect(leak.evidence).toContain('1 connection of pool "shop" taken by forgetsToRelease');
  expect(leak.leases).toMatchObject([
    {
      kind: 'client',
      statement: 'SELECT $1::text AS who',
      inTransaction: false,
      running: false,
      verdict: 'leak',
    },
  ]);
  expect(leak.leases[0]!.place!.line).toBe(23);
});

test('the leak is over when the connection comes back, which is told as a late return', async () => {
  await forgetsToRelease();
  watched.clock.advance(125_000);
  taken.pop()!.release();
  watched.clock.advance(1000);
  expect(watched.lines.slice(-2)).toEqual(['opened late-return', 'closed leak']);
  expect(watched.events.at(-1)).toMatchObject({ ended: expect.stringMatching(/1 came back/) });
  expect(watched.finding('late-return').advice).toMatch(/setThresholds\(\{ leakAfterMs: 1\d\d000 \}/);
});

test('a batch that works is no leak, however long it takes', async () => {
  const client = await pool.connect();
  for (let minute = 0; minute < 10; minute++) {
    watched.clock.advance(25_000);
    await client.query('SELECT 1');
  }
  client.release();
  expect(watched.lines).toEqual([]);
});

test('a statement that runs is activity', async () => {
  const client = await pool.connect();
  const running = client.query('SELECT pg_sleep(30)').catch((error: unknown) => error);
  watched.clock.advance(600_000);
  expect(watched.lines).toEqual([]);
  // The server has it some time after it was sent.
  await until('the cancelled statement', async () => {
    const { rows } = await pool.query<{ pid: number }>(
      `SELECT pg_cancel_backend(pid) AS done, pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)' AND state = 'active' AND datname = current_database()`,
    );
    return rows.length === 1;
  });
  expect(await running).toMatchObject({ code: '57014' });
  client.release();
});

test('three of one line are one finding, and critical once half of the pool is lost', async () => {
  for (let i = 0; i < 3; i++) await forgetsToRelease();
  watched.clock.advance(125_000);
  expect(watched.finding('leak')).toMatchObject({ count: 3, severity: 'warning' });
  for (let i = 0; i < 2; i++) await forgetsToRelease();
  watched.clock.advance(125_000);
  expect(watched.finding('leak')).toMatchObject({ count: 5, severity: 'critical' });
  expect(watched.lines.filter((line) => line === 'opened leak')).toHaveLength(1);
});

test('what is out 5 s after its request ended is a leak', async () => {
  const request = openRequest('POST /orders', watched.clock);
  await request.run(forgetsToRelease);
  request.end();
  watched.clock.advance(4000);
  expect(watched.lines).toEqual([]);
  watched.clock.advance(3000);
  expect(watched.finding('leak').evidence).toContain('Its request, POST /orders, ended 7 s ago.');
});

test('work that goes on after its request is none', async () => {
  const request = openRequest('POST /orders', watched.clock);
  const client = await request.run(() => pool.connect());
  request.end();
  for (let second = 0; second < 20; second++) {
    watched.clock.advance(3000);
    await client.query('SELECT 1');
  }
  client.release();
  expect(watched.lines).toEqual([]);
});

test.each([
  [
    'is taken inside allowHeld()',
    () => allowHeld('cache invalidation', () => pool.connect()),
    'SELECT 1',
    'cache invalidation',
  ],
  ['listens', () => pool.connect(), 'LISTEN order_placed', 'LISTEN'],
])('a client that %s is held on purpose', async (_what, take, statement, reason) => {
  const client = await take();
  await client.query(statement);
  watched.clock.advance(600_000);
  expect(watched.lines).toEqual([]);
  expect(watched.monitor.report().pools[0]!.leases).toMatchObject([{ allowed: reason }]);
  client.release();
});

test('thresholds of a call site are its own, and can be changed at run time', async () => {
  watched.monitor.setThresholds(
    { leakAfterMs: 600_000, suspectAfterMs: 500_000 },
    { site: 'forgetsToRelease' },
  );
  await forgetsToRelease();
  watched.clock.advance(400_000);
  expect(watched.lines).toEqual([]);
  watched.monitor.setThresholds({ leakAfterMs: 410_000 }, { site: 'forgetsToRelease' });
  watched.clock.advance(11_000);
  expect(watched.lines).toContain('opened leak');
});

test('a stall of the process is no idleness', async () => {
  await forgetsToRelease();
  let now = watched.clock.now();
  const { now: read } = watched.clock;
  watched.clock.now = () => now;
  // The timer fires 10 minutes late, as after a blocked event loop, a suspended laptop, a clock that jumped.
  now += 600_000;
  watched.clock.now = () => read.call(watched.clock) + 600_000;
  watched.clock.advance(20_000);
  expect(watched.lines).toEqual([]);
});
