import 'reflect-metadata';
import { runInTransaction } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
let dataSource: DataSource;

beforeEach(async () => {
  dataSource = await new DataSource({ type: 'postgres', url: db.url, poolSize: 2 }).initialize();
  db.defer(() => dataSource.destroy());
  manageDataSource(dataSource);
});
afterEach(() => db.truncate());

/** As hand-written code usually looks: it rolls back when there is something to roll back. */
async function byHand(fail: 'never' | 'before start' | 'inside' | 'after commit'): Promise<void> {
  const runner = dataSource.createQueryRunner();
  try {
    if (fail === 'before start') throw new Error(fail);
    await runner.startTransaction();
    await runner.query("INSERT INTO entry (label) VALUES ('by hand')");
    if (fail === 'inside') throw new Error(fail);
    await runner.commitTransaction();
    if (fail === 'after commit') throw new Error(fail);
  } catch (error) {
    if (runner.isTransactionActive) await runner.rollbackTransaction();
    throw error;
  } finally {
    await runner.release();
  }
}
const labels = async (): Promise<unknown[]> =>
  (await db.query('SELECT label FROM entry')).map(({ label }) => label);

test.each(['before start', 'inside', 'after commit'] as const)(
  'a guard on isTransactionActive lets the error %s through',
  async (fail) => {
    await expect(runInTransaction(() => byHand(fail))).rejects.toThrow(fail);
    expect(await labels()).toEqual([]);
  },
);

test('a failure inside its own transaction that is caught undoes just that', async () => {
  await runInTransaction(async () => {
    await byHand('inside').catch(() => {});
    await byHand('after commit').catch(() => {});
  });
  expect(await labels()).toEqual(['by hand']);
});

test('code that begins a transaction only where none is active joins, and its commit is the owner’s', async () => {
  const joining = async (): Promise<void> => {
    const runner = dataSource.createQueryRunner();
    if (!runner.isTransactionActive) await runner.startTransaction();
    await runner.query("INSERT INTO entry (label) VALUES ('joined')");
    await runner.commitTransaction();
    await runner.release();
    expect(await labels()).toEqual([]);
  };
  await runInTransaction(joining);
  expect(await labels()).toEqual(['joined']);
});

test('a rollback of a transaction that it joined marks it, and swallowing that is told', async () => {
  const call = runInTransaction(async () => {
    const runner = dataSource.createQueryRunner();
    await runner.query("INSERT INTO entry (label) VALUES ('a')");
    await runner.rollbackTransaction();
    await runner.release();
  });
  await expect(call).rejects.toMatchObject({
    code: 'UNEXPECTED_ROLLBACK',
    message: expect.stringMatching(/hand-written QueryRunner/),
  });
  expect(await labels()).toEqual([]);
});

test.each([
  ['undefined', undefined],
  ['an object', {}],
  ['a pool', new Pool()],
])('manageDataSource refuses %s', (_, value) => {
  expect(() => manageDataSource(value as unknown as DataSource)).toThrow(/takes a TypeORM DataSource/);
});
