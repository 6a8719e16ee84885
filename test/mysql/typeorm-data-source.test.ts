import { DataSource } from 'typeorm';
import { runInTransaction } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { Entry } from '../conformance/ways-in.js';
import { mysqlLabelsIn } from '../conformance/mysql-ways-in.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';

const db = useMysqlDatabase();
beforeEach(() => db.truncate());

async function started(dataSource: DataSource): Promise<DataSource> {
  await dataSource.initialize();
  db.defer(() => dataSource.destroy());
  return dataSource;
}

test('with replication: a read-only transaction runs on a replica, another one on the primary', async () => {
  const { hostname: host, port, username, password, pathname } = new URL(db.url);
  const server = { host, port: Number(port), username, password, database: pathname.slice(1) };
  const dataSource = await started(
    new DataSource({
      type: 'mysql',
      entities: [Entry],
      replication: { master: server, slaves: [server] },
    }),
  );
  const { primary, replicas } = manageDataSource(dataSource);
  expect(replicas).toHaveLength(1);

  await runInTransaction(async () => {
    await dataSource.getRepository(Entry).save({ label: 'a' });
    expect([primary.counts().inUse, replicas[0]!.counts().inUse]).toEqual([1, 0]);
  });
  const labels = await runInTransaction(
    async () => {
      const found = await dataSource.getRepository(Entry).find();
      expect([primary.counts().inUse, replicas[0]!.counts().inUse]).toEqual([0, 1]);
      return found.map(({ label }) => label);
    },
    { readOnly: true },
  );
  expect(labels).toEqual(['a']);
});

test('destroy() and initialize(): the new pool is managed under the same name', async () => {
  const dataSource = await started(new DataSource({ type: 'mysql', url: db.url, entities: [Entry] }));
  manageDataSource(dataSource, { name: 'shop' });
  await dataSource.destroy();
  await dataSource.initialize();
  await runInTransaction(() => dataSource.getRepository(Entry).save({ label: 'a' }), { dataSource: 'shop' });
  expect(await mysqlLabelsIn(db)).toEqual(['a']);
});

test('queryRunner.stream() reads the rows of the transaction', async () => {
  const dataSource = await started(new DataSource({ type: 'mysql', url: db.url, entities: [Entry] }));
  manageDataSource(dataSource);
  const seen: string[] = [];
  await runInTransaction(async () => {
    await dataSource.getRepository(Entry).insert([{ label: 'a' }, { label: 'b' }]);
    const runner = dataSource.createQueryRunner();
    for await (const row of await runner.stream('SELECT label FROM entry ORDER BY id'))
      seen.push((row as { label: string }).label);
    await runner.release();
    await dataSource.getRepository(Entry).insert({ label: 'c' });
  });
  expect(seen).toEqual(['a', 'b']);
  expect(await mysqlLabelsIn(db)).toEqual(['a', 'b', 'c']);
});

test('a data source of another database is refused by name', async () => {
  const dataSource = new DataSource({ type: 'mysql', url: db.url });
  expect(() => manageDataSource(dataSource)).toThrow(
    expect.objectContaining({ code: 'DATA_SOURCE_NOT_INITIALIZED' }),
  );
});
