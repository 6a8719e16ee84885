import 'reflect-metadata';
import { managedPool, runInTransaction } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import type { Pool } from 'pg';
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

/** Each way to begin a transaction by hand; `modes` where SQL can say them. */
const byHand: Record<string, (modes: string) => Promise<void>> = {
  async 'BEGIN on a client'(modes) {
    const client = await (managedPool().native as Pool).connect();
    await client.query(`BEGIN ${modes}`);
    await client.query('SELECT count(*) FROM entry');
    await client.query('COMMIT');
    client.release();
  },
  async 'queryRunner.startTransaction()'() {
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query('SELECT count(*) FROM entry');
    await runner.commitTransaction();
    await runner.release();
  },
  'dataSource.transaction()': () =>
    dataSource.transaction((manager) => manager.query('SELECT count(*) FROM entry')),
};

test.each(Object.keys(byHand))(
  '%s joins a read-only transaction, in which it can write nothing',
  async (way) => {
    await runInTransaction(() => byHand[way]!(''), { readOnly: true });
    const writing = runInTransaction(
      async () => {
        await byHand[way]!('');
        await dataSource.query("INSERT INTO entry (label) VALUES ('a')");
      },
      { readOnly: true },
    );
    await expect(writing).rejects.toMatchObject({ code: '25006' });
  },
);

test('BEGIN READ ONLY by hand is refused inside a transaction that may write: a savepoint cannot be read-only', async () => {
  const begin = (): Promise<void> => byHand['BEGIN on a client']!('ISOLATION LEVEL SERIALIZABLE, READ ONLY');
  await expect(runInTransaction(begin, { isolationLevel: 'SERIALIZABLE' })).rejects.toMatchObject({
    code: 'READ_ONLY_MISMATCH',
    message: expect.stringMatching(/READ ONLY inside.*may write.*REQUIRES_NEW with readOnly: true/),
  });
  await runInTransaction(begin, { isolationLevel: 'SERIALIZABLE', readOnly: true });
});
