import 'reflect-metadata';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { managedPool, runInTransaction } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { Entry } from '../conformance/ways-in.js';
import { useDatabase } from '../harness/database.js';

/** Primary and replica are one server, told apart by the application's name: a replica that is never behind. */
const db = useDatabase();
let dataSource: DataSource;
beforeEach(async () => {
  await db.truncate();
  dataSource = new DataSource({
    type: 'postgres',
    entities: [Entry],
    replication: {
      master: { url: db.url, applicationName: 'primary' },
      slaves: [{ url: db.url, applicationName: 'replica' }],
    },
  });
  await dataSource.initialize();
  const { master, slaves } = dataSource.driver as unknown as { master: Pool; slaves: Pool[] };
  for (const pool of [master, ...slaves]) db.track(pool);
  db.defer(() => dataSource.destroy());
  manageDataSource(dataSource);
});

const WHERE = "current_setting('application_name')";

async function throughRunner(mode?: 'master' | 'slave'): Promise<string> {
  const runner = dataSource.createQueryRunner(mode);
  try {
    const [row] = await runner.query(`SELECT ${WHERE} AS name`);
    return row.name;
  } finally {
    await runner.release();
  }
}

const ways: Readonly<Record<string, () => Promise<string>>> = {
  'dataSource.query()': async () => (await dataSource.query(`SELECT ${WHERE} AS name`))[0].name,
  'repository.query()': async () =>
    (await dataSource.getRepository(Entry).query(`SELECT ${WHERE} AS name`))[0].name,
  'a query builder, which reads on a replica outside': async () => {
    const row = await dataSource
      .createQueryBuilder()
      .select(WHERE, 'name')
      .from('(SELECT 1)', 'one')
      .getRawOne();
    return row.name;
  },
  'createQueryRunner()': () => throughRunner(),
  "createQueryRunner('master')": () => throughRunner('master'),
  "createQueryRunner('slave')": () => throughRunner('slave'),
  'managedPool().native': async () => {
    const { rows } = await (managedPool().native as Pool).query<{ name: string }>(`SELECT ${WHERE} AS name`);
    return rows[0]!.name;
  },
};

describe.each(Object.entries(ways))('%s', (_, where) => {
  test('is on the primary in a transaction', async () => {
    expect(await runInTransaction(where)).toBe('primary');
  });

  test('is on the replica in a read-only transaction, and on the primary in a REQUIRES_NEW inside', async () => {
    const seen = await runInTransaction(
      async () => [
        await where(),
        await runInTransaction(where, { propagation: 'REQUIRES_NEW' }),
        await where(),
      ],
      { readOnly: true },
    );
    expect(seen).toEqual(['replica', 'primary', 'replica']);
  });
});

test('find() in a transaction reads what the transaction has written, not the replica', async () => {
  const found = await runInTransaction(async () => {
    await dataSource.getRepository(Entry).insert({ label: 'new' });
    return dataSource.getRepository(Entry).find();
  });
  expect(found).toMatchObject([{ label: 'new' }]);
});

test('a read-only transaction writes nothing', async () => {
  const writing = runInTransaction(() => dataSource.getRepository(Entry).insert({ label: 'new' }), {
    readOnly: true,
  });
  await expect(writing).rejects.toMatchObject({ driverError: { code: '25006' } });
  expect(await db.query('SELECT label FROM entry')).toEqual([]);
});

test('outside a transaction TypeORM chooses as before', async () => {
  expect(await throughRunner('slave')).toBe('replica');
  expect(await throughRunner('master')).toBe('primary');
});

test('every pool gives back what it lent', async () => {
  await runInTransaction(() => ways['dataSource.query()']!());
  await runInTransaction(() => ways['dataSource.query()']!(), { readOnly: true });
  const { primary, replicas } = managedPool().source;
  expect([primary, ...replicas].map((pool) => pool.counts().inUse)).toEqual([0, 0]);
});
