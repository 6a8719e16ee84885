import type { Pool } from 'pg';
import * as client from 'prom-client';
import { InvalidOptionsError, type ManagedPool, managePool, unmanagePool } from 'holdfast';
import { createPoolMonitor, type PoolMonitor, registerPromMetrics } from 'holdfast/pool-monitor';
import { ManualClock } from 'holdfast/testing';
import { useDatabase } from '../../harness/database.js';

const db = useDatabase();
const clock = new ManualClock();
let register: client.Registry;
let pool: Pool;
let managed: ManagedPool;
let monitor: PoolMonitor;

beforeEach(() => {
  register = new client.Registry();
  pool = db.pool({ max: 2 });
  managed = managePool(pool, { name: 'orders', clock, acquireTimeoutMs: 1000 });
  monitor = createPoolMonitor({ clock, server: { mode: 'off' } }).start();
});
afterEach(async () => {
  await monitor.stop();
  unmanagePool(managed);
});

/** The lines of the scrape that begin with `name`, without the name of the pool. */
async function scraped(name: string): Promise<string[]> {
  const text = await register.metrics();
  return text
    .split('\n')
    .filter((line) => line.startsWith(name))
    .map((line) => line.replace(/,?db_client_connection_pool_name="orders",?/, '').replace('{}', ''));
}

test('gauges and counters are read when they are scraped, by the names that OpenTelemetry gives them', async () => {
  registerPromMetrics(monitor, { client, register });
  const clients = await Promise.all([pool.connect(), pool.connect()]);
  const waits = pool.connect().catch((error: Error) => error);

  expect(await scraped('db_client_connection_count')).toEqual([
    'db_client_connection_count{db_client_connection_state="idle"} 0',
    'db_client_connection_count{db_client_connection_state="used"} 2',
  ]);
  expect(await scraped('db_client_connection_pending_requests')).toEqual([
    'db_client_connection_pending_requests 1',
  ]);
  expect(await scraped('db_client_connection_limit')).toEqual(['db_client_connection_limit 2']);
  expect(await scraped('db_client_connection_max')).toEqual(['db_client_connection_max 2']);
  expect(await scraped('db_client_connection_idle')).toEqual([
    'db_client_connection_idle_max 2',
    'db_client_connection_idle_min 0',
  ]);
  expect(await scraped('holdfast_')).toEqual([
    'holdfast_pool_leases_leaked 0',
    'holdfast_pool_leases_suspected 0',
  ]);

  clock.advance(1000);
  await waits;
  for (const each of clients) each.release();
  expect(await scraped('db_client_connection_timeouts')).toEqual(['db_client_connection_timeouts_total 1']);
  expect(await scraped('db_client_connection_timeouts')).toEqual(['db_client_connection_timeouts_total 1']);
  expect(await scraped('db_client_connection_count')).toContain(
    'db_client_connection_count{db_client_connection_state="used"} 0',
  );
});

test('durations are histograms: each bucket with those below it, a sum and a count', async () => {
  registerPromMetrics(monitor, { client, register });
  for (const ms of [2, 700, 20_000]) {
    const lent = await pool.connect();
    clock.advance(ms);
    lent.release();
  }

  expect(await scraped('db_client_connection_use_time_seconds')).toEqual([
    'db_client_connection_use_time_seconds_bucket{le="0.001"} 0',
    ...[0.005, 0.01, 0.05, 0.1, 0.5].map(
      (le) => `db_client_connection_use_time_seconds_bucket{le="${le}"} 1`,
    ),
    ...[1, 5, 10].map((le) => `db_client_connection_use_time_seconds_bucket{le="${le}"} 2`),
    'db_client_connection_use_time_seconds_bucket{le="+Inf"} 3',
    'db_client_connection_use_time_seconds_sum 20.702',
    'db_client_connection_use_time_seconds_count 3',
  ]);
  expect(await register.metrics()).toContain('# TYPE db_client_connection_use_time_seconds histogram');
});

test('a fleet of workers can be added up: the metrics as JSON', async () => {
  registerPromMetrics(monitor, { client, register });
  const metrics = await register.getMetricsAsJSON();
  const aggregated = client.AggregatorRegistry.aggregate([metrics, metrics]);

  expect(await aggregated.metrics()).toContain(
    'db_client_connection_limit{db_client_connection_pool_name="orders"} 4',
  );
  expect(metrics.map(({ name }) => name)).toContain('db_client_connection_wait_time_seconds');
});

test('in a registry of OpenMetrics the counter has its suffix once', async () => {
  const open = new client.Registry();
  open.setContentType(client.Registry.OPENMETRICS_CONTENT_TYPE as never);
  registerPromMetrics(monitor, { client, register: open });

  const text = await open.metrics();
  expect(text).toContain('db_client_connection_timeouts_total{db_client_connection_pool_name="orders"} 0');
  expect(text).not.toContain('total_total');
});

test('twice into one registry is refused, and leaves the first; unregistering makes room', async () => {
  const unregister = registerPromMetrics(monitor, { client, register });
  expect(() => registerPromMetrics(monitor, { client, register })).toThrow('already been registered');
  expect(await scraped('db_client_connection_limit')).toHaveLength(1);

  unregister();
  expect((await register.metrics()).trim()).toBe('');
  registerPromMetrics(monitor, { client, register });
});

test('without a registry it is that of the module', async () => {
  const unregister = registerPromMetrics(monitor, { client });
  expect(await client.register.metrics()).toContain('db_client_connection_limit');
  unregister();
});

test('what is not the module is refused', () => {
  expect(() => registerPromMetrics(monitor, { client: {} as never })).toThrow(InvalidOptionsError);
  expect(() => registerPromMetrics(monitor, undefined as never)).toThrow(InvalidOptionsError);
});
