import 'reflect-metadata';
import { runInTransaction, runOutsideTransaction } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
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

const MANY = 1000;
const stream = async (rows: number): Promise<AsyncIterable<unknown>> =>
  dataSource
    .createQueryBuilder()
    .select('n')
    .from(`(SELECT generate_series(1, ${rows}) AS n)`, 'numbers')
    .stream();
const copyRows = async (open: () => Promise<AsyncIterable<unknown>>): Promise<void> => {
  for await (const _ of await open()) await dataSource.query(`INSERT INTO entry (label) VALUES ('copy')`);
};
const copies = async (): Promise<number> => (await db.query('SELECT FROM entry')).length;

test('writes in the loop over a row stream go through while the rows fit in its first batches', async () => {
  await runInTransaction(() => copyRows(() => stream(50)));
  expect(await copies()).toBe(50);
});

test('with more rows they wait for the end of the stream, which waits for them: timeoutMs ends it', async () => {
  const call = runInTransaction(() => copyRows(() => stream(MANY)), { timeoutMs: 300 });
  await expect(call).rejects.toMatchObject({ code: 'TRANSACTION_TIMEOUT' });
  expect(await copies()).toBe(0);
});

test('rows that are read with runOutsideTransaction() may be many', async () => {
  await runInTransaction(() => copyRows(() => runOutsideTransaction(() => stream(MANY))));
  expect(await copies()).toBe(MANY);
});
