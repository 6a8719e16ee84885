import type { Pool, PoolClient } from 'pg';
import { useDatabase } from '../../harness/database.js';
import { collectGarbage } from '../../../src/pool-monitor/detection/collect-garbage.js';
import { WatchedPool } from './watched-pool.js';

const db = useDatabase();
let pool: Pool;
let watched: WatchedPool;
beforeEach(() => {
  pool = db.pool({ max: 4 });
  watched = new WatchedPool(pool, { reclaim: { mode: 'on', aboveShare: 0 } });
});
afterEach(() => watched.end());

/** Finalizers run in a turn of the event loop of their own, after the collection. */
async function collect(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
  }
  await new Promise((resolve) => setImmediate(resolve));
}

async function takeAndForget(): Promise<void> {
  const client = await pool.connect();
  await client.query('SELECT 1');
}

test('a client that nobody can release any more is a certain leak, at once, and can be taken back at once', async () => {
  await takeAndForget();
  await collect();
  watched.clock.advance(1000);
  expect(watched.events[0]).toMatchObject({
    change: 'opened',
    finding: { kind: 'leak', certainty: 'certain' },
  });
  const { evidence, site } = watched.events[0]!.finding;
  expect(evidence).toContain('It can never be released: what held it was garbage-collected.');
  expect(site).toMatch(/^takeAndForget \(/);
  await new Promise((resolve) => pool.once('remove', resolve));
  watched.clock.advance(1000);
  expect(watched.lines).toEqual(['opened leak', 'closed leak']);
  expect(watched.events.at(-1)).toMatchObject({ ended: expect.stringContaining('1 taken back') });
  expect(pool.totalCount).toBe(0);
});

test.each<[string, (client: PoolClient) => unknown]>([
  ['the client', (client) => client],
  ['its release function', (client) => client.release],
  ['its query method', (client) => client.query.bind(client)],
])('one of which somebody still has %s is not', async (_what, keep) => {
  let kept: unknown;
  await (async () => {
    const client = await pool.connect();
    kept = keep(client);
  })();
  await collect();
  watched.clock.advance(1000);
  expect(watched.lines).toEqual([]);
  expect(kept).toBeDefined();
  // The harness ends the pool, which waits for it: the monitor takes it back after 5 minutes.
  watched.clock.advance(400_000);
  await new Promise((resolve) => pool.once('remove', resolve));
  expect(kept).toBeDefined();
});
