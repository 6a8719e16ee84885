import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { type LeaseKind, type LeaseRequest, type ManagedPool, unmanagePool } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { Entry } from '../conformance/captured.js';
import { startMysqlPrisma } from '../conformance/mysql-pools.js';
import { until } from '../conformance/observing.js';
import { startPrisma } from '../conformance/through-prisma.js';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import {
  connectMysql2,
  connectPg,
  drivers,
  queryMysql2,
  startMariadb,
  startMysql2,
  startPg,
} from './driver-pools.js';

const pg = useDatabase();
const mysql = useMysqlDatabase();

/** A way to ask a pool of one connection for it. What is asked gives back what it got. */
interface Way {
  readonly managed: ManagedPool;
  ask(): Promise<unknown>;
}

type Start = () => Promise<Way> | Way;

async function throughTypeorm(
  type: 'postgres' | 'mysql',
  ask: (dataSource: DataSource) => Promise<unknown>,
): Promise<Way> {
  const url = type === 'postgres' ? pg.url : mysql.url;
  const dataSource = new DataSource({ type, url, entities: [Entry], poolSize: 1 });
  await dataSource.initialize();
  const { primary: managed } = manageDataSource(dataSource);
  (type === 'postgres' ? pg : mysql).defer(async () => {
    unmanagePool(managed);
    await dataSource.destroy();
  });
  return { managed, ask: () => ask(dataSource) };
}

async function connectRunner(dataSource: DataSource): Promise<void> {
  const runner = dataSource.createQueryRunner();
  await runner.connect();
  await runner.release();
}

async function queryRunner(dataSource: DataSource): Promise<void> {
  const runner = dataSource.createQueryRunner();
  await runner.query('SELECT 1');
  await runner.release();
}

const one = { max: 1 };

const handedOut: readonly (readonly [way: string, start: Start])[] = [
  [
    'pg: pool.connect()',
    () => {
      const { pool, managed } = startPg(pg, one);
      return { managed, ask: async () => (await pool.connect()).release() };
    },
  ],
  [
    'pg: pool.connect(callback)',
    () => {
      const { pool, managed } = startPg(pg, one);
      return { managed, ask: async () => (await connectPg(pool)).done() };
    },
  ],
  ['TypeORM on pg: createQueryRunner().connect()', () => throughTypeorm('postgres', connectRunner)],
  ['TypeORM on pg: createQueryRunner().query()', () => throughTypeorm('postgres', queryRunner)],
  [
    'TypeORM on pg: a repository',
    () => throughTypeorm('postgres', (dataSource) => dataSource.getRepository(Entry).find()),
  ],
  ['TypeORM on mysql2: createQueryRunner().connect()', () => throughTypeorm('mysql', connectRunner)],
  ['TypeORM on mysql2: createQueryRunner().query()', () => throughTypeorm('mysql', queryRunner)],
  [
    'mysql2: getConnection(callback)',
    () => {
      const { pool, managed } = startMysql2(mysql, one);
      return { managed, ask: async () => (await connectMysql2(pool)).release() };
    },
  ],
  [
    'mysql2/promise: getConnection()',
    () => {
      const { promised, managed } = startMysql2(mysql, one);
      return { managed, ask: async () => (await promised.getConnection()).release() };
    },
  ],
  [
    'mariadb: getConnection()',
    () => {
      const { pool, managed } = startMariadb(mysql, one);
      return { managed, ask: async () => (await pool.getConnection()).release() };
    },
  ],
];

const selfReleasing: readonly (readonly [way: string, start: Start])[] = [
  [
    'pg: pool.query()',
    () => {
      const { pool, managed } = startPg(pg, one);
      return { managed, ask: () => pool.query('SELECT 1') };
    },
  ],
  ['Prisma on pg: a model', () => throughPrisma((prisma) => prisma.entry.findMany())],
  ['Prisma on pg: $queryRaw', () => throughPrisma((prisma) => prisma.$queryRaw`SELECT 1`)],
  [
    'mysql2: pool.query()',
    () => {
      const { pool, managed } = startMysql2(mysql, one);
      return { managed, ask: () => queryMysql2(pool, 'SELECT 1') };
    },
  ],
  [
    'mysql2/promise: pool.execute()',
    () => {
      const { promised, managed } = startMysql2(mysql, one);
      return { managed, ask: () => promised.execute('SELECT 1') };
    },
  ],
  [
    'mariadb: pool.query()',
    () => {
      const { pool, managed } = startMariadb(mysql, one);
      return { managed, ask: () => pool.query('SELECT 1') };
    },
  ],
  [
    'Prisma on MariaDB: a model',
    () => {
      const { prisma, managed } = startMysqlPrisma(mysql, one);
      return { managed, ask: async () => await prisma.entry.findMany() };
    },
  ],
];

function throughPrisma(ask: (prisma: ReturnType<typeof startPrisma>) => PromiseLike<unknown>): Way {
  const { pool, managed }: { pool: Pool; managed: ManagedPool } = startPg(pg, one);
  const prisma = startPrisma(pg, pool);
  return { managed, ask: async () => await ask(prisma) };
}

/** The frame of `ask`, which stands for the application's. */
const HERE = /^ +at .*request-places\.test\.ts:\d+:\d+\)?$/m;

test.each(handedOut)('%s: the lease knows the place', async (_, start) => {
  const way = await start();
  const places: (string | undefined)[] = [];
  way.managed.observe({
    recordsCallSite: () => true,
    acquired: ({ askedAt }) => void places.push(askedAt?.stack),
  });
  await way.ask();
  expect(places).toEqual([expect.stringMatching(HERE)]);
});

test.each([...handedOut, ...selfReleasing])('%s: a request that waits knows the place', async (_, start) => {
  const way = await start();
  // At its first call Prisma looks at the server.
  await way.ask();
  // Nobody wants places until somebody has to wait.
  way.managed.observe({ recordsCallSite: () => false, ignoresQueries: true });
  const holder = await way.managed.acquire({
    name: 'holder',
    frame: { parent: undefined, source: undefined, scope: undefined },
  });
  const asked = way.ask();
  await until('it to wait', () => way.managed.waiting().length === 1);
  const [request] = way.managed.waiting();
  expect(request!.askedAt?.stack).toMatch(HERE);
  holder.end();
  await asked;
  expect(way.managed.waiting()).toEqual([]);
});

describe.each(drivers)('$name', (driver) => {
  test('recordsCallSite is asked once for each request, and not for a query that need not wait', async () => {
    const { managed, connect, query } = driver.start({ pg, mysql }, one);
    const asked: LeaseKind[] = [];
    managed.observe({ ignoresQueries: true, recordsCallSite: (kind) => asked.push(kind) > 1 });
    const leases: LeaseRequest[] = [];
    managed.observe({ acquired: (lease) => void leases.push(lease) });

    await query('SELECT 1');
    expect(asked).toEqual([]);
    (await connect()).release();
    expect(asked).toEqual(['client']);
    const client = await connect();
    expect(asked).toEqual(['client', 'client']);
    const waits = connect().then((next) => next.release());
    await until('it to wait', () => managed.waiting().length === 1);
    client.release();
    await waits;
    expect(asked).toEqual(['client', 'client', 'client']);
    expect(leases.map(({ kind, askedAt }) => [kind, askedAt !== undefined])).toEqual([
      ['query', false],
      ['client', false],
      ['client', true],
      ['client', true],
    ]);
  });

  test('no place where no observer has recordsCallSite', async () => {
    const { managed, connect } = driver.start({ pg, mysql }, one);
    managed.observe({});
    const client = await connect();
    expect(managed.leases()[0]!.askedAt).toBeUndefined();
    client.release();
  });
});

test('of requests that wait 500 a second record their place: thousands may wait for a moment each', async () => {
  const { pool, managed, clock } = startPg(pg, one);
  managed.observe({ ignoresQueries: true, recordsCallSite: () => false });
  const client = await pool.connect();
  const asked: Promise<unknown>[] = [];
  const ask = (count: number): void => {
    for (let made = 0; made < count; made++) asked.push(pool.query('SELECT 1'));
  };
  const placed = (): number => managed.waiting().filter(({ askedAt }) => askedAt).length;
  ask(499);
  clock.advance(999);
  ask(2);
  expect([placed(), managed.waiting().length]).toEqual([500, 501]);
  clock.advance(1);
  ask(1);
  expect(placed()).toBe(501);
  client.release();
  await Promise.all(asked);
});
