import 'reflect-metadata';
import { runInTransaction, TransactionControlError } from 'holdfast';
import { failureOf } from '../conformance/observing.js';
import {
  type MysqlSource,
  startMariadbPool,
  startMysqlDataSource,
  startMysqlPool,
} from '../conformance/mysql-pools.js';
import { mysqlLabelsIn } from '../conformance/mysql-ways-in.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { type Hand, testHandWrittenSavepoints } from '../transaction/hand-written-savepoints.suite.js';

const db = useMysqlDatabase();
beforeEach(() => db.truncate());

interface Way {
  take(): Promise<Hand>;
  ask(sql: string): Promise<unknown>;
}

/** Each on a pool of its own. */
const ways: Record<string, () => Promise<Way>> = {
  async 'a promise connection of mysql2'() {
    const { pool } = startMysqlPool(db);
    return {
      async take() {
        const connection = await pool.getConnection();
        return { query: (sql) => connection.query(sql), release: () => connection.release() };
      },
      ask: (sql) => pool.query(sql),
    };
  },
  async 'execute() of a connection of mysql2'() {
    const { pool } = startMysqlPool(db);
    return {
      async take() {
        const connection = await pool.getConnection();
        return { query: (sql) => connection.execute(sql), release: () => connection.release() };
      },
      ask: (sql) => pool.execute(sql),
    };
  },
  async 'a connection of mysql2 with callbacks'() {
    const { callbackPool } = startMysqlPool(db);
    const settled = <T>(ask: (done: (error: Error | null, value?: T) => void) => unknown): Promise<T> =>
      new Promise((resolve, reject) => ask((error, value) => (error ? reject(error) : resolve(value as T))));
    return {
      async take() {
        const connection = await settled<Parameters<Parameters<typeof callbackPool.getConnection>[0]>[1]>(
          (done) => callbackPool.getConnection(done),
        );
        return {
          query: (sql) => settled((done) => connection.query(sql, done)),
          release: () => connection.release(),
        };
      },
      ask: (sql) => settled((done) => callbackPool.query(sql, done)),
    };
  },
  async 'a connection of the mariadb connector'() {
    const { pool } = startMariadbPool(db);
    return {
      async take() {
        const connection = await pool.getConnection();
        return { query: (sql) => connection.query(sql), release: () => connection.release() };
      },
      ask: (sql) => pool.query(sql),
    };
  },
  async 'a QueryRunner'() {
    const { dataSource } = (await startMysqlDataSource(db, 'mysql')) satisfies MysqlSource;
    return {
      async take() {
        const runner = dataSource.createQueryRunner();
        return { query: (sql) => runner.query(sql), release: () => runner.release() };
      },
      ask: (sql) => dataSource.query(sql),
    };
  },
};

describe.each(Object.keys(ways))('a savepoint by hand on %s', (name) => {
  let way: Way;
  beforeEach(async () => {
    way = await ways[name]!();
  });
  testHandWrittenSavepoints({
    take: () => way.take(),
    ask: (sql) => way.ask(sql),
    labels: () => mysqlLabelsIn(db),
    wrong: 'SELECT * FROM nowhere',
  });

  test.each([
    ['SAVEPOINT `A b`', 'ROLLBACK TO `a B`'],
    ['SAVEPOINT`a`', 'ROLLBACK WORK TO`A`'],
    ['SAVEPOINT a # here', 'ROLLBACK TO a'],
  ])('%s is what %s means', async (set, end) => {
    await runInTransaction(async () => {
      const hand = await way.take();
      for (const sql of [set, end]) await expect(hand.query(sql)).resolves.not.toThrow();
      await hand.release();
    });
  });

  test('a second of one name takes the place of the first', async () => {
    await runInTransaction(async () => {
      const hand = await way.take();
      const add = (label: string): string => `INSERT INTO entry (label) VALUES ('${label}')`;
      for (const sql of ['SAVEPOINT a', add('1'), 'SAVEPOINT b', add('2'), 'SAVEPOINT a', add('3')])
        await hand.query(sql);
      await hand.query('ROLLBACK TO a');
      await hand.query('RELEASE SAVEPOINT a');
      expect(await failureOf(hand.query('ROLLBACK TO a'))).toBeInstanceOf(TransactionControlError);
      for (const sql of ['SAVEPOINT a', 'SAVEPOINT a', 'ROLLBACK TO b']) await hand.query(sql);
      await hand.release();
    });
    expect(await mysqlLabelsIn(db)).toEqual(['1']);
  });

  test('ROLLBACK TO that cannot be read is refused', async () => {
    await runInTransaction(async () => {
      const hand = await way.take();
      await hand.query('SAVEPOINT a');
      for (const sql of ['ROLLBACK TO SAVEPOINT a; SELECT 1', '/*! ROLLBACK TO SAVEPOINT a */'])
        expect(await failureOf(hand.query(sql))).toBeInstanceOf(TransactionControlError);
      await hand.release();
    });
  });
});
