import { PrismaPg } from '@prisma/adapter-pg';
import { createPool as createMariadbPool } from 'mariadb';
import { createPool as createMysql2Pool, type PoolConnection } from 'mysql2';
import { createPool as createMysql2PromisePool } from 'mysql2/promise';
import { DataSource } from 'typeorm';
import { createPoolMonitor, type Finding, functionSink, type PoolMonitor } from 'holdfast/pool-monitor';
import { ManualClock } from 'holdfast/testing';
import { watchPrisma } from 'holdfast/prisma';
import { manageDataSource, watchDataSource } from 'holdfast/typeorm';
import { useDatabase } from '../../harness/database.js';
import { useMysqlDatabase } from '../../harness/mysql-database.js';
import { PrismaClient } from '../../prisma/generated/client.js';

const postgres = useDatabase();
const mysql = useMysqlDatabase();

/** A service that takes a connection, throws before the line that gives it back, and what ends its leak. */
interface LeakyService {
  /** Throws; what it took stays out. */
  placeOrder(): Promise<void>;
  release(): Promise<unknown>;
  close(): Promise<unknown>;
}

const boom = new Error('no stock');

/** Each way, without @Transactional(): a service that uses the monitor and nothing else. */
const WAYS: Record<string, (monitor: PoolMonitor) => Promise<LeakyService>> = {
  async 'raw pg'(monitor) {
    const pool = postgres.pool({ max: 4 });
    monitor.watch(pool, { name: 'shop' });
    let release = (): void => {};
    return {
      async placeOrder() {
        const client = await pool.connect();
        release = () => client.release();
        await client.query('SELECT 1 AS placed');
        throw boom;
      },
      release: async () => release(),
      close: async () => undefined,
    };
  },
  async 'pg in callback style'(monitor) {
    const pool = postgres.pool({ max: 4 });
    monitor.watch(pool, { name: 'shop' });
    let release = (): void => {};
    return {
      async placeOrder() {
        await new Promise<void>((_resolve, reject) => {
          pool.connect((_error, client, done) => {
            release = done;
            client!.query('SELECT 1 AS placed', () => reject(boom));
          });
        });
      },
      release: async () => release(),
      close: async () => undefined,
    };
  },
  async mysql2(monitor) {
    const pool = createMysql2Pool({ uri: mysql.url, connectionLimit: 4 });
    monitor.watch(pool, { name: 'shop' });
    let taken: PoolConnection | undefined;
    return {
      async placeOrder() {
        await new Promise<void>((_resolve, reject) => {
          pool.getConnection((_error, connection) => {
            taken = connection;
            connection.query('SELECT 1 AS placed', () => reject(boom));
          });
        });
      },
      release: async () => taken?.release(),
      close: () => pool.promise().end(),
    };
  },
  async 'mysql2/promise'(monitor) {
    const pool = createMysql2PromisePool({ uri: mysql.url, connectionLimit: 4 });
    monitor.watch(pool, { name: 'shop' });
    let release = (): void => {};
    return {
      async placeOrder() {
        const connection = await pool.getConnection();
        release = () => connection.release();
        await connection.query('SELECT 1 AS placed');
        throw boom;
      },
      release: async () => release(),
      close: () => pool.end(),
    };
  },
  async 'the mariadb connector'(monitor) {
    const pool = createMariadbPool(`${mysql.url.replace('mysql:', 'mariadb:')}?connectionLimit=4`);
    monitor.watch(pool, { name: 'shop' });
    let release = async (): Promise<void> => {};
    return {
      async placeOrder() {
        const connection = await pool.getConnection();
        release = () => connection.release();
        await connection.query('SELECT 1 AS placed');
        throw boom;
      },
      release: () => release(),
      close: () => pool.end(),
    };
  },
  'a QueryRunner of TypeORM on pg': (monitor) =>
    queryRunner(new DataSource({ type: 'postgres', url: postgres.url, extra: { max: 4 } }), (dataSource) => {
      watchDataSource(monitor, dataSource, { name: 'shop' });
    }),
  'a QueryRunner of TypeORM on mysql2': (monitor) =>
    queryRunner(new DataSource({ type: 'mysql', url: mysql.url, poolSize: 4 }), (dataSource) => {
      watchDataSource(monitor, dataSource, { name: 'shop' });
    }),
  'a QueryRunner of a managed data source': (monitor) =>
    queryRunner(new DataSource({ type: 'postgres', url: postgres.url, extra: { max: 4 } }), (dataSource) => {
      manageDataSource(dataSource, { name: 'shop' });
      monitor.start();
    }),
  async 'a transaction of Prisma that never ends'(monitor) {
    const pool = postgres.pool({ max: 4 });
    monitor.watch(pool, { name: 'shop' });
    const prisma = watchPrisma(new PrismaClient({ adapter: new PrismaPg(pool) }));
    let finish = (): void => {};
    let ended: Promise<unknown> = Promise.resolve();
    return {
      async placeOrder() {
        const done = new Promise<void>((resolve) => (finish = resolve));
        await new Promise<void>((placed) => {
          ended = prisma.$transaction(
            async (tx) => {
              await tx.$queryRaw`SELECT 1 AS placed`;
              placed();
              await done;
            },
            { timeout: 600_000 },
          );
        });
        throw boom;
      },
      release: () => (finish(), ended),
      close: () => prisma.$disconnect(),
    };
  },
};

async function queryRunner(
  dataSource: DataSource,
  watch: (dataSource: DataSource) => void,
): Promise<LeakyService> {
  await dataSource.initialize();
  // Made before anybody watched: it asks for its connection when it is used.
  const runner = dataSource.createQueryRunner();
  watch(dataSource);
  return {
    async placeOrder() {
      await runner.connect();
      await runner.query('SELECT 1 AS placed');
      throw boom;
    },
    release: () => runner.release(),
    close: () => dataSource.destroy(),
  };
}

describe.each(Object.keys(WAYS))('through %s', (way) => {
  const clock = new ManualClock();
  let monitor: PoolMonitor;
  let service: LeakyService;
  const messages: string[] = [];
  beforeEach(async () => {
    monitor = createPoolMonitor({
      clock,
      wallClock: () => clock.now(),
      server: { mode: 'off' },
      alerts: { sinks: [functionSink(({ status }) => void messages.push(status))] },
    }).start();
    service = await WAYS[way]!(monitor);
    clock.advance(1000);
  });
  afterEach(async () => {
    await monitor.stop();
    await service.close();
  });

  const leaks = (): Finding[] =>
    monitor.report().pools.flatMap(({ findings }) => findings.filter(({ kind }) => kind === 'leak'));

  test('a leak is named by its line, once, and resolved when the connection is back', async () => {
    messages.length = 0;
    await expect(service.placeOrder()).rejects.toBe(boom);
    clock.advance(200_000);

    expect(leaks()).toMatchObject([{ pool: 'shop', count: 1 }]);
    const [leak] = leaks();
    expect(leak!.site).toMatch(/placeOrder \(test\/pool-monitor\/detection\/ways-to-leak\.test\.ts:\d+\)$/);
    expect(leak!.leases[0]).toMatchObject({ statement: expect.stringContaining('SELECT ? AS placed') });
    expect(leak!.leases[0]!.backendId).toBeGreaterThan(0);

    while (messages.length < 1) await new Promise(setImmediate);
    await service.release();
    clock.advance(62_000);
    expect(leaks()).toEqual([]);
    while (messages.length < 2) await new Promise(setImmediate);
    clock.advance(24 * 3_600_000);
    await monitor.stop();
    expect(messages).toEqual(['firing', 'resolved']);
  });
});
