import Database from 'better-sqlite3';
import { type ManageablePool, managePool } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { DataSource } from 'typeorm';
import { useBetterSqlite3 } from '../harness/better-sqlite3.js';

useBetterSqlite3();

test('a raw Database of better-sqlite3 has no pool: managePool refuses it', () => {
  const database = new Database(':memory:');
  expect(() => managePool(database as unknown as ManageablePool)).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED_DRIVER' }),
  );
  database.close();
});

test('another SQLite driver of TypeORM is refused, naming those that are managed', () => {
  const dataSource = new DataSource({ type: 'better-sqlite3', database: ':memory:' });
  Object.assign(dataSource, { isInitialized: true, options: { ...dataSource.options, type: 'expo' } });
  expect(() => manageDataSource(dataSource)).toThrow(/is of type expo; .*better-sqlite3 or sql\.js/);
});

test('another acquireTimeoutMs than the first call gave is refused', async () => {
  const dataSource = await new DataSource({ type: 'better-sqlite3', database: ':memory:' }).initialize();
  manageDataSource(dataSource, { name: 'limits', acquireTimeoutMs: 50 });
  expect(manageDataSource(dataSource, { acquireTimeoutMs: 50 }).primary.acquireTimeoutMs).toBe(50);
  expect(() => manageDataSource(dataSource, { acquireTimeoutMs: 60 })).toThrow(
    'manageDataSource options.acquireTimeoutMs is 60, but data source "limits" is managed with 50.',
  );
  await dataSource.destroy();
});
