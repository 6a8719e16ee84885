import { setImmediate } from 'node:timers/promises';
import type { PoolClient } from 'pg';
import { type LeaseInfo, LeaseReclaimedError, type ManagedPool } from 'holdfast';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { collectGarbage } from './collect-garbage.js';
import { connectMysql2, connectPg, drivers, startMariadb, startMysql2, startPg } from './driver-pools.js';

const pg = useDatabase();
const mysql = useMysqlDatabase();

/** The leases that are told to be abandoned; their connections are closed after the test. */
function watch(managed: ManagedPool, recordsCallSite = (): boolean => true): LeaseInfo[] {
  const abandoned: LeaseInfo[] = [];
  managed.observe({ recordsCallSite, abandoned: (lease) => void abandoned.push(lease) });
  const defer = managed.dialect.name === 'postgres' ? pg.defer.bind(pg) : mysql.defer.bind(mysql);
  defer(async () => {
    const reason = new LeaseReclaimedError('the test is over');
    for (const lease of managed.leases()) await managed.reclaim(lease, reason);
  });
  return abandoned;
}

/** Ends what runs on the only lease that is out. */
async function interrupt(managed: ManagedPool): Promise<void> {
  const [lease] = managed.leases();
  if (managed.dialect.name === 'postgres') await pg.query('SELECT pg_cancel_backend($1)', [lease!.backendId]);
  else await mysql.query(`KILL QUERY ${lease!.backendId}`);
}

/** What a test keeps of a client, so that nothing else of it is kept. */
type Keep<T> = () => Promise<T>;

describe.each(drivers)('$name', (driver) => {
  test('a client that nobody refers to is told, once', async () => {
    const { managed, connect } = driver.start({ pg, mysql });
    const abandoned = watch(managed);
    await (async () => {
      const client = await connect();
      await client.query('SELECT 1');
    })();
    const [lease] = managed.leases();
    await collectGarbage();
    expect(abandoned).toEqual([lease]);
    await collectGarbage();
    expect(abandoned).toEqual([lease]);
    expect(managed.leases()).toEqual([lease]);
  });

  test('a client that is referred to is not, and can be used', async () => {
    const { managed, connect } = driver.start({ pg, mysql });
    const abandoned = watch(managed);
    const client = await connect();
    await collectGarbage();
    expect(abandoned).toEqual([]);
    await client.query('SELECT 1');
    client.release();
  });

  test('one that was released is not', async () => {
    const { managed, connect } = driver.start({ pg, mysql });
    const abandoned = watch(managed);
    await (async () => (await connect()).release())();
    await collectGarbage();
    expect(abandoned).toEqual([]);
  });

  test('one whose place was not recorded is not', async () => {
    const { managed, connect } = driver.start({ pg, mysql });
    const abandoned = watch(managed, () => false);
    await (async () => void (await connect()))();
    await collectGarbage();
    expect(abandoned).toEqual([]);
  });

  test('a method that waits for its query keeps its client', async () => {
    const { managed, connect } = driver.start({ pg, mysql });
    const abandoned = watch(managed);
    const work = (async () => {
      const client = await connect();
      try {
        await client.query(driver.sleep).catch(() => undefined);
      } finally {
        client.release();
      }
    })();
    while (!managed.leases().some((lease) => managed.usage(lease)!.running)) await setImmediate();
    await collectGarbage();
    await interrupt(managed);
    await work;
    await collectGarbage();
    expect(abandoned).toEqual([]);
  });

  test('while a statement runs on it a client is not told; when it has ended, it is', async () => {
    const { managed, connect } = driver.start({ pg, mysql });
    const abandoned = watch(managed);
    let ended = false;
    await (async () => {
      const client = await connect();
      const end = (): boolean => (ended = true);
      client.query(driver.sleep).then(end, end);
    })();
    while (!managed.leases().some((lease) => managed.usage(lease)!.running)) await setImmediate();
    await collectGarbage();
    expect([ended, abandoned]).toEqual([false, []]);
    await interrupt(managed);
    while (!ended) await setImmediate();
    await collectGarbage();
    expect(abandoned).toEqual(managed.leases());
    expect(abandoned).toHaveLength(1);
  });
});

test.each<[part: string, keep: (pool: ReturnType<typeof startPg>['pool']) => Keep<() => void>]>([
  [
    'its release function',
    (pool) => async () => {
      const { release } = await pool.connect();
      return () => release();
    },
  ],
  [
    'its query method',
    (pool) => async () => {
      const { query } = await pool.connect();
      return () => void query;
    },
  ],
  ["its callback's done", (pool) => async () => (await connectPg(pool)).done],
  [
    'a listener that refers to it',
    (pool) => async () => {
      const client: PoolClient = await pool.connect();
      client.on('error', () => client.release());
      return () => undefined;
    },
  ],
  [
    'a listener for notifications',
    (pool) => async () => {
      const client = await pool.connect();
      await client.query('LISTEN news');
      client.on('notification', () => undefined);
      return () => undefined;
    },
  ],
])('pg: a client is kept by %s alone', async (_, keep) => {
  const { pool, managed } = startPg(pg);
  const abandoned = watch(managed);
  const kept = await keep(pool)();
  await collectGarbage();
  expect(abandoned).toEqual([]);
  kept();
});

test('pg: a listener for errors does not keep a client that it does not refer to', async () => {
  const { pool, managed } = startPg(pg);
  const abandoned = watch(managed);
  await (async () => void (await pool.connect()).on('error', () => undefined))();
  await collectGarbage();
  expect(abandoned).toHaveLength(1);
});

test.each(['release', 'query', 'promise', Symbol.dispose] as const)(
  'mysql2: a connection is kept by its %p alone',
  async (member) => {
    const { pool, managed } = startMysql2(mysql);
    const abandoned = watch(managed);
    const kept = await (async () => {
      const connection = (await connectMysql2(pool)) as unknown as Record<PropertyKey, () => unknown>;
      return member === 'release' || member === Symbol.dispose
        ? connection[member]!
        : connection[member]!.bind(connection);
    })();
    await collectGarbage();
    expect(abandoned).toEqual([]);
    expect(kept).toBeInstanceOf(Function);
  },
);

test.each(['release', 'query', 'queryStream', 'prepare'] as const)(
  'mariadb: a connection is kept by its %s alone',
  async (member) => {
    const { pool, managed } = startMariadb(mysql);
    const abandoned = watch(managed);
    const kept = await (async () => (await pool.getConnection())[member])();
    await collectGarbage();
    expect(abandoned).toEqual([]);
    expect(kept).toBeInstanceOf(Function);
  },
);
