import 'reflect-metadata';
import { runInTransaction } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { DataSource } from 'typeorm';
import { failureOf } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';
import { InnerTest } from '../testing/inner-test.js';

const db = useDatabase();
let dataSource: DataSource;
beforeEach(async () => {
  dataSource = await new DataSource({ type: 'postgres', url: db.url, poolSize: 2 }).initialize();
  db.defer(() => dataSource.destroy());
  manageDataSource(dataSource);
});

test('what ends no transaction of its QueryRunner is told so of a QueryRunner, not of a client', async () => {
  await runInTransaction(
    async () => {
      const runner = dataSource.createQueryRunner();
      for (const [sql, without] of [
        ['COMMIT', 'BEGIN'],
        ['ROLLBACK', 'BEGIN'],
        ['RELEASE SAVEPOINT a', 'SAVEPOINT a'],
      ]) {
        const { message } = await failureOf(runner.query(sql!));
        expect(message).toMatch(
          new RegExp(`^${sql} without a ${without} on this QueryRunner would .*"Orders.place"`),
        );
      }
      await runner.release();
    },
    { name: 'Orders.place' },
  );
});

test.each(['startTransaction()', 'dataSource.transaction()'])(
  'in the transaction of a test, %s is a QueryRunner’s transaction',
  async (way) => {
    const runner = dataSource.createQueryRunner();
    const { message } = await new InnerTest().run(() =>
      failureOf(
        way === 'startTransaction()'
          ? runner.startTransaction('SERIALIZABLE').finally(() => runner.release())
          : dataSource.transaction('SERIALIZABLE', async (manager) => manager.query('SELECT 1')),
      ),
    );
    expect(message).toMatch(/^"a hand-written QueryRunner transaction" asks for SERIALIZABLE/);
  },
);
