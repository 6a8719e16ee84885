import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import type { Pool } from 'pg';
import { InvalidOptionsError, type ManagedPool, managePool, unmanagePool } from 'holdfast';
import { bindOpenTelemetry, createPoolMonitor, type PoolMonitor } from 'holdfast/pool-monitor';
import { ManualClock } from 'holdfast/testing';
import { useDatabase } from '../../harness/database.js';

const db = useDatabase();
const clock = new ManualClock();
let exporter: InMemoryMetricExporter;
let provider: MeterProvider;
let pool: Pool;
let managed: ManagedPool;
let monitor: PoolMonitor;

beforeEach(() => {
  exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 });
  provider = new MeterProvider({ readers: [reader] });
  pool = db.pool({ max: 2, min: 0 });
  managed = managePool(pool, { name: 'orders', clock, acquireTimeoutMs: 1000 });
  monitor = createPoolMonitor({ clock, server: { mode: 'off' } }).start();
});
afterEach(async () => {
  await monitor.stop();
  unmanagePool(managed);
  await provider.shutdown();
});

async function collect(): Promise<Map<string, MetricData>> {
  exporter.reset();
  await provider.forceFlush();
  const metrics = exporter
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((each) => each.metrics));
  return new Map(metrics.map((each) => [each.descriptor.name, each]));
}

/** Value by the state of the connection, or the only value. */
function values(metric: MetricData | undefined): Record<string, unknown> {
  const points = metric?.dataPoints ?? [];
  for (const { attributes } of points) expect(attributes['db.client.connection.pool.name']).toBe('orders');
  return Object.fromEntries(
    points.map(({ attributes, value }) => [attributes['db.client.connection.state'] ?? 'value', value]),
  );
}

test('gauges by the names of the semantic conventions, read when they are collected', async () => {
  bindOpenTelemetry(monitor, provider.getMeter('test'));
  const clients = await Promise.all([pool.connect(), pool.connect()]);
  const waits = pool.connect();

  const full = await collect();
  expect(values(full.get('db.client.connection.count'))).toEqual({ idle: 0, used: 2 });
  expect(values(full.get('db.client.connection.limit'))).toEqual({ value: 2 });
  expect(values(full.get('db.client.connection.max'))).toEqual({ value: 2 });
  expect(values(full.get('db.client.connection.idle.max'))).toEqual({ value: 2 });
  expect(values(full.get('db.client.connection.idle.min'))).toEqual({ value: 0 });
  expect(values(full.get('db.client.connection.pending_requests'))).toEqual({ value: 1 });
  expect(values(full.get('holdfast.pool.leases.leaked'))).toEqual({ value: 0 });
  expect(values(full.get('holdfast.pool.leases.suspected'))).toEqual({ value: 0 });

  for (const client of clients) client.release();
  (await waits).release();
  expect(values((await collect()).get('db.client.connection.count'))).toEqual({ idle: 2, used: 0 });
});

test('a connection that leaked is counted as such', async () => {
  bindOpenTelemetry(monitor, provider.getMeter('test'));
  const client = await pool.connect();
  for (let seconds = 0; seconds < 31; seconds++) clock.advance(1000);
  expect(values((await collect()).get('holdfast.pool.leases.suspected'))).toEqual({ value: 1 });
  for (let seconds = 0; seconds < 90; seconds++) clock.advance(1000);

  const metrics = await collect();
  expect(values(metrics.get('holdfast.pool.leases.suspected'))).toEqual({ value: 0 });
  expect(values(metrics.get('holdfast.pool.leases.leaked'))).toEqual({ value: 1 });
  client.release();
});

test('pools that are watched later are recorded as well', async () => {
  bindOpenTelemetry(monitor, provider.getMeter('test'));
  const other = db.pool({ max: 1 });
  monitor.watch(other, { name: 'orders' });
  const client = await other.connect();
  clock.advance(700);
  client.release();

  const metrics = await collect();
  expect(metrics.get('db.client.connection.use_time')?.dataPoints[0]?.value).toMatchObject({ sum: 0.7 });
});

test('timeouts are a counter that only rises', async () => {
  bindOpenTelemetry(monitor, provider.getMeter('test'));
  const clients = await Promise.all([pool.connect(), pool.connect()]);
  const waits = pool.connect().catch((error: Error) => error);
  clock.advance(1000);
  expect(await waits).toMatchObject({ code: 'ACQUIRE_TIMEOUT' });
  for (const client of clients) client.release();

  const metric = (await collect()).get('db.client.connection.timeouts')!;
  expect(values(metric)).toEqual({ value: 1 });
  expect(metric).toMatchObject({ dataPointType: DataPointType.SUM, isMonotonic: true });
});

test('durations are histograms in seconds, in our buckets', async () => {
  bindOpenTelemetry(monitor, provider.getMeter('test'));
  const client = await pool.connect();
  clock.advance(700);
  client.release();

  const metrics = await collect();
  expect(metrics.get('db.client.connection.use_time')).toMatchObject({
    descriptor: { unit: 's' },
    dataPointType: DataPointType.HISTOGRAM,
    dataPoints: [
      {
        attributes: { 'db.client.connection.pool.name': 'orders' },
        value: {
          count: 1,
          sum: 0.7,
          buckets: {
            boundaries: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
            counts: [0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
          },
        },
      },
    ],
  });
  expect(metrics.get('db.client.connection.wait_time')?.dataPoints[0]?.value).toMatchObject({ count: 1 });
  expect(metrics.get('db.client.connection.create_time')?.dataPoints[0]?.value).toMatchObject({ count: 1 });
});

test('units are those of the conventions', async () => {
  bindOpenTelemetry(monitor, provider.getMeter('test'));
  (await pool.connect()).release();

  const units = [...(await collect())].map(([name, { descriptor }]) => [name, descriptor.unit]);
  expect(Object.fromEntries(units.filter(([name]) => name!.startsWith('db.')))).toEqual({
    'db.client.connection.count': '{connection}',
    'db.client.connection.limit': '{connection}',
    'db.client.connection.max': '{connection}',
    'db.client.connection.idle.max': '{connection}',
    'db.client.connection.idle.min': '{connection}',
    'db.client.connection.pending_requests': '{request}',
    'db.client.connection.timeouts': '{timeout}',
    'db.client.connection.wait_time': 's',
    'db.client.connection.use_time': 's',
    'db.client.connection.create_time': 's',
  });
});

test('nothing is told any more once it is taken off', async () => {
  const unbind = bindOpenTelemetry(monitor, provider.getMeter('test'));
  (await pool.connect()).release();
  await collect();
  unbind();
  const client = await pool.connect();

  const metrics = await collect();
  // The SDK goes on telling the last value that it knows.
  expect(values(metrics.get('db.client.connection.count'))).toEqual({ idle: 1, used: 0 });
  client.release();
  expect((await collect()).get('db.client.connection.use_time')?.dataPoints[0]?.value).toMatchObject({
    count: 1,
  });
});

test('what is no meter is refused', () => {
  expect(() => bindOpenTelemetry(monitor, {} as never)).toThrow(InvalidOptionsError);
  expect(() => bindOpenTelemetry(monitor, undefined as never)).toThrow('a Meter of @opentelemetry/api');
});
