import { createPool as createMariadbPool } from 'mariadb';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { InvalidOptionsError } from 'holdfast';
import { allowHeld, createPoolMonitor, type Finding, type PoolMonitor } from 'holdfast/pool-monitor';
import { ManualClock } from 'holdfast/testing';
import { watchDataSource } from 'holdfast/typeorm';
import { useDatabase } from '../../harness/database.js';
import { useMysqlDatabase } from '../../harness/mysql-database.js';

const db = useDatabase();
const mysql = useMysqlDatabase();
let clock: ManualClock;
let monitor: PoolMonitor;
beforeEach(() => {
  clock = new ManualClock();
  monitor = createPoolMonitor({
    clock,
    wallClock: () => clock.now(),
    server: { mode: 'off' },
    alerts: { sinks: [] },
    reclaim: { mode: 'on', aboveShare: 0.5 },
  }).start();
});
afterEach(() => monitor.stop());

const findings = (): Finding[] => monitor.report().pools.flatMap((pool) => pool.findings);

test('two pools of one name are told apart, and both are watched', async () => {
  const pools: Pool[] = [db.pool({ max: 8 }), db.pool({ max: 8 })];
  for (const pool of pools) monitor.watch(pool, { name: 'shop' });
  clock.advance(1000);
  const clients = [await pools[0]!.connect(), await pools[1]!.connect()];
  clock.advance(130_000);
  expect(findings().map(({ kind, pool }) => `${kind} ${pool}`)).toEqual(['leak shop', 'leak shop#2']);
  expect(monitor.metrics().map(({ pool, leaked }) => [pool, leaked])).toEqual([
    ['shop', 1],
    ['shop#2', 1],
  ]);
  for (const client of clients) client.release();
});

test.each<[string, unknown, unknown]>([
  ['no pool', null, { name: 'shop' }],
  ['no options', 'a pool', undefined],
  ['no name', 'a pool', {}],
  ['an unknown option', 'a pool', { name: 'shop', conectionLimit: 3 }],
])('%s is refused by name', (_what, pool, options) => {
  const given = pool === 'a pool' ? db.pool() : pool;
  expect(() => monitor.watch(given as never, options as never)).toThrow(InvalidOptionsError);
});

test('what is held on purpose is no load, and a pool of one is no pressure', async () => {
  const [small, one] = [db.pool({ max: 3 }), db.pool({ max: 1 })];
  monitor.watch(small, { name: 'small' });
  monitor.watch(one, { name: 'one' });
  clock.advance(1000);
  const listener = await allowHeld('listener', () => small.connect());
  const worker = await small.connect();
  const single = await one.connect();
  for (let second = 0; second < 100; second++) {
    await Promise.all([worker.query('SELECT 1'), single.query('SELECT 1')]);
    clock.advance(1000);
  }
  expect(findings()).toEqual([]);
  const second = await small.connect();
  for (let i = 0; i < 61; i++) {
    await Promise.all([worker.query('SELECT 1'), second.query('SELECT 1'), single.query('SELECT 1')]);
    clock.advance(1000);
  }
  expect(findings().map(({ kind, pool }) => `${kind} ${pool}`)).toEqual(['pressure small']);
  for (const client of [listener, worker, second, single]) client.release();
});

test('a pool of the mariadb connector is full where its limit is told', async () => {
  const pool = createMariadbPool(`${mysql.url.replace('mysql:', 'mariadb:')}?connectionLimit=3`);
  monitor.watch(pool, { name: 'shop', connectionLimit: 3 });
  clock.advance(1000);
  const zombies = [await pool.getConnection(), await pool.getConnection()];
  expect(monitor.report().pools[0]!.counts).toMatchObject({ max: 3, inUse: 2 });
  clock.advance(301_000);
  while (pool.activeConnections() > 0) await new Promise(setImmediate);
  await expect(zombies[0]!.query('SELECT 1')).rejects.toMatchObject({ code: 'LEASE_RECLAIMED' });
  await pool.end();
});

test('a data source that is watched before initialize(): the first QueryRunner after it is known', async () => {
  const dataSource = new DataSource({ type: 'postgres', url: db.url, extra: { max: 3 } });
  const stop = watchDataSource(monitor, dataSource, { name: 'shop' });
  await dataSource.initialize();
  const runner = dataSource.createQueryRunner();
  await runner.connect();
  clock.advance(130_000);
  expect(findings()).toMatchObject([{ kind: 'leak', pool: 'shop' }]);
  await runner.release();
  await dataSource.destroy();
  stop();
  expect(Object.hasOwn(dataSource, 'initialize')).toBe(false);
});

test('a connection that the server has ended comes back in no transaction', async () => {
  const pool = db.pool({ max: 2 });
  pool.on('error', () => {});
  monitor.watch(pool, { name: 'shop' });
  clock.advance(1000);
  const client = await pool.connect();
  const lost = new Promise((resolve) => client.once('end', resolve));
  client.on('error', () => {});
  await client.query('BEGIN');
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  await db.query(`SELECT pg_terminate_backend(${rows[0]!.pid})`);
  await lost;
  client.release();
  clock.advance(1000);
  expect(findings()).toEqual([]);
});
