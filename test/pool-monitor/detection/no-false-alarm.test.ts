import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { Pool } from 'pg';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import { createPoolMonitor, type PoolMonitor } from 'holdfast/pool-monitor';
import { ManualClock } from 'holdfast/testing';
import { manageDataSource, watchDataSource } from 'holdfast/typeorm';
import { managedPool, manageReplica } from 'holdfast';
import { useDatabase } from '../../harness/database.js';
import { WatchedPool } from './watched-pool.js';

const db = useDatabase();

describe('a pool under load', () => {
  let pool: Pool;
  let watched: WatchedPool;
  afterEach(() => watched.end());

  function watch(max: number): void {
    pool = db.pool({ max });
    watched = new WatchedPool(pool);
  }

  test('10 minutes of healthy load with spikes: nothing is found', async () => {
    watch(10);
    for (let second = 0; second < 600; second++) {
      // Every two minutes all connections are taken, and as many callers wait, for less than 5 s.
      const isSpike = second % 120 < 4;
      const clients = await Promise.all(Array.from({ length: isSpike ? 10 : 3 }, () => pool.connect()));
      const waiters = isSpike ? Array.from({ length: 10 }, () => pool.query('SELECT 1')) : [];
      if (second % 10 === 0) await Promise.all(clients.map((client) => client.query('SELECT 1')));
      watched.clock.advance(1000);
      for (const client of clients) client.release();
      await Promise.all(waiters);
    }
    expect(watched.lines).toEqual([]);
  });

  test('10,000 leases in a second leave nothing behind', async () => {
    watch(4);
    for (let i = 0; i < 2500; i++) {
      const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect(), pool.connect()]);
      for (const client of clients) client.release();
    }
    watched.clock.advance(1000);
    expect(watched.lines).toEqual([]);
    expect(watched.monitor.report().pools[0]).toMatchObject({ leases: [], untracked: 0 });
    expect(watched.monitor.metrics()[0]!.useTime.count).toBe(10_000);
  });

  test('a stream that is read slowly is none; one that is not read any more is a leak', async () => {
    watch(2);
    const client = await pool.connect();
    const stream = client.query(new QueryStream('SELECT generate_series(1, 100000)', [], { batchSize: 10 }));
    const rows = stream[Symbol.asyncIterator]();
    for (let i = 0; i < 40; i++) {
      for (let row = 0; row < 50; row++) await rows.next();
      watched.clock.advance(25_000);
    }
    expect(watched.lines).toEqual([]);
    watched.clock.advance(130_000);
    expect(watched.finding('leak').leases[0]).toMatchObject({
      running: true,
      statement: 'SELECT generate_series(?, ?)',
    });
    stream.destroy();
    await new Promise((resolve) => stream.once('close', resolve));
    client.release();
  });

  test('a cursor between two reads is activity as long as it is read', async () => {
    watch(2);
    const client = await pool.connect();
    const cursor = client.query(new Cursor('SELECT generate_series(1, 1000)'));
    for (let i = 0; i < 10; i++) {
      expect(await cursor.read(10)).toHaveLength(10);
      watched.clock.advance(25_000);
    }
    expect(watched.lines).toEqual([]);
    await cursor.close();
    client.release();
  });

  test('a server that ends a session is no leak and no crash', async () => {
    watch(3);
    const client = await pool.connect();
    client.on('error', () => {});
    pool.on('error', () => {});
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await pool.query('SELECT 1');
    await db.query(`SELECT pg_terminate_backend(${rows[0]!.pid})`);
    await expect(client.query('SELECT 1')).rejects.toThrow(/terminat|not queryable|ended/);
    client.release(true);
    watched.clock.advance(600_000);
    expect(watched.lines).toEqual([]);
    expect((await pool.query('SELECT 1')).rowCount).toBe(1);
  });

  test('a server that restarts: nothing is found, and the monitor looks at it again', async () => {
    const proxy = await db.proxy();
    pool = db.pool({ max: 3, connectionString: proxy.url(db.url) });
    pool.on('error', () => {});
    watched = new WatchedPool(pool, { server: { mode: 'on' } });
    const seen = (): number | undefined => watched.monitor.report().servers.get('shop')?.connections;
    /** Moves the monitor's clock on slowly: the server's answers take time of their own, which its limits are for. */
    const until = async (isTrue: () => boolean): Promise<void> => {
      while (!isTrue()) {
        watched.clock.advance(20);
        await sleep(2);
      }
    };
    await until(() => seen() !== undefined);
    const client = await pool.connect();
    client.on('error', () => {});
    await pool.query('SELECT 1');

    await proxy.refuse();
    await proxy.cut();
    await expect(client.query('SELECT 1')).rejects.toThrow(/terminated|not queryable|ended/);
    client.release(true);
    await expect(pool.query('SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await until(() => seen() === undefined);
    watched.clock.advance(60_000);

    await proxy.heal();
    expect((await pool.query('SELECT 1')).rowCount).toBe(1);
    await until(() => seen() !== undefined);
    expect(watched.lines).toEqual([]);
  });

  test('a pool of a second copy of pg is watched as the first is', async () => {
    watch(2);
    let Second!: typeof Pool;
    jest.isolateModules(() => {
      ({ Pool: Second } = jest.requireActual<{ Pool: typeof Pool }>('pg'));
    });
    expect(Second).not.toBe(Pool);
    const second = db.track(new Second({ connectionString: db.url, max: 2 }));
    watched.monitor.watch(second, { name: 'second' });
    const clients = [await pool.connect(), await second.connect()];
    watched.clock.advance(130_000);
    expect(watched.monitor.report().pools).toMatchObject([
      { pool: 'shop', untracked: 0, findings: [{ kind: 'leak', count: 1 }] },
      { pool: 'second', untracked: 0, findings: [{ kind: 'leak', count: 1 }] },
    ]);
    for (const client of clients) client.release();
    watched.clock.advance(1000);
    expect(watched.lines.filter((line) => line === 'closed leak')).toHaveLength(2);
  });

  test('replicas are pools of their own', async () => {
    watch(2);
    const replica = db.pool({ max: 2 });
    manageReplica(replica, managedPool('shop'));
    watched.clock.advance(1000);
    const client = await replica.connect();
    watched.clock.advance(130_000);
    expect(watched.monitor.report().pools.map(({ pool: name }) => name)).toEqual(['shop', 'shop/replica-1']);
    expect(watched.events.at(-1)!.finding.pool).toBe('shop/replica-1');
    client.release();
  });
});

describe('a data source that is destroyed and initialised again', () => {
  const clock = new ManualClock();
  let monitor: PoolMonitor;
  let dataSource: DataSource;
  const lines: string[] = [];
  beforeEach(async () => {
    lines.length = 0;
    monitor = createPoolMonitor({
      clock,
      wallClock: () => clock.now(),
      server: { mode: 'off' },
      alerts: { sinks: [] },
    }).start();
    monitor.onFinding(({ change, finding }) => void lines.push(`${change} ${finding.kind}`));
    dataSource = new DataSource({ type: 'postgres', url: db.url, extra: { max: 3 } });
  });
  afterEach(async () => {
    await monitor.stop();
    if (dataSource.isInitialized) await dataSource.destroy();
  });

  test.each<[string, () => void]>([
    ['managed', () => void manageDataSource(dataSource, { name: 'shop' })],
    ['only watched', () => void watchDataSource(monitor, dataSource, { name: 'shop' })],
  ])('%s: the new pool is watched under the same name', async (_how, watch) => {
    await dataSource.initialize();
    watch();
    clock.advance(1000);
    await dataSource.query('SELECT 1');
    expect(monitor.report().pools).toMatchObject([{ pool: 'shop', untracked: 0 }]);

    await dataSource.destroy();
    clock.advance(1000);
    expect(monitor.report().pools).toEqual([]);
    await dataSource.initialize();
    clock.advance(1000);
    const runner = dataSource.createQueryRunner();
    await runner.connect();
    clock.advance(130_000);
    expect(lines.filter((line) => line !== 'opened suspect' && line !== 'closed suspect')).toEqual([
      'opened leak',
    ]);
    expect(monitor.report().pools).toMatchObject([{ pool: 'shop' }]);
    await runner.release();
  });

  test('destroyed with a leak open: the finding is over, for the pool has ended', async () => {
    await dataSource.initialize();
    watchDataSource(monitor, dataSource, { name: 'shop' });
    const runner = dataSource.createQueryRunner();
    await runner.connect();
    clock.advance(130_000);
    expect(lines).toContain('opened leak');
    // TypeORM gives back what its QueryRunners hold.
    await dataSource.destroy();
    clock.advance(1000);
    expect(lines).toEqual(['opened suspect', 'opened leak', 'closed suspect', 'closed leak']);
    expect(monitor.report().pools).toEqual([]);
  });
});
