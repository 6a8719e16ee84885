import 'reflect-metadata';
import { managedPool, runInTransaction, UnknownDataSourceError } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();

test('managedPool() gives raw SQL the pool of a TypeORM data source, and with it the transaction', async () => {
  const dataSource = await new DataSource({ type: 'postgres', url: db.url, poolSize: 2 }).initialize();
  db.defer(() => dataSource.destroy());
  manageDataSource(dataSource);
  const pool = managedPool().native as Pool;

  await runInTransaction(async () => {
    await dataSource.query("INSERT INTO entry (label) VALUES ('typeorm')");
    const { rows } = await pool.query('SELECT label, pg_backend_pid() AS pid FROM entry');
    const [{ pid }] = await dataSource.query('SELECT pg_backend_pid() AS pid');
    expect(rows).toEqual([{ label: 'typeorm', pid }]);
    expect(await db.query('SELECT label FROM entry')).toEqual([]);
  });
});

test('managedPool() names what is managed when the name is unknown', () => {
  expect(() => managedPool('elsewhere')).toThrow(UnknownDataSourceError);
  expect(() => managedPool('elsewhere')).toThrow(/named "elsewhere"/);
});
