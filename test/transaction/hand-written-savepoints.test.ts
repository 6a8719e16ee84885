import 'reflect-metadata';
import { managePool, runInTransaction, TransactionControlError, unmanagePool } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { sql } from 'drizzle-orm';
import { Kysely, PostgresDialect, sql as kyselySql } from 'kysely';
import type { Pool, PoolClient } from 'pg';
import { DataSource } from 'typeorm';
import { failureOf } from '../conformance/observing.js';
import { labelsIn } from '../conformance/ways-in.js';
import { useDatabase } from '../harness/database.js';
import { labelsOf, sqliteTypes, useSqlite } from '../sqlite/sqlite-ways-in.js';
import { type Hand, testHandWrittenSavepoints } from './hand-written-savepoints.suite.js';

const runnerOf = (dataSource: DataSource): Hand => {
  const runner = dataSource.createQueryRunner();
  return { query: (text) => runner.query(text), release: () => runner.release() };
};

describe('PostgreSQL', () => {
  const db = useDatabase();
  let pool: Pool;
  let dataSource: DataSource;

  beforeEach(async () => {
    await db.truncate();
    dataSource = await new DataSource({ type: 'postgres', url: db.url, poolSize: 2 }).initialize();
    db.defer(() => dataSource.destroy());
    pool = manageDataSource(dataSource).primary.native as Pool;
  });

  const clientsOf =
    (query: (client: PoolClient, text: string) => Promise<unknown>) => async (): Promise<Hand> => {
      const client = await pool.connect();
      return { query: (text) => query(client, text), release: () => client.release() };
    };
  const ways: Record<string, { take: () => Promise<Hand>; ask: (text: string) => Promise<unknown> }> = {
    'a client of pool.connect()': {
      take: clientsOf((client, text) => client.query(text)),
      ask: (text) => pool.query(text),
    },
    'a client that is asked with callbacks': {
      take: clientsOf(
        (client, text) =>
          new Promise((resolve, reject) =>
            client.query(text, (error, result) => (error ? reject(error) : resolve(result))),
          ),
      ),
      ask: (text) => pool.query(text),
    },
    'a QueryRunner': {
      take: async () => runnerOf(dataSource),
      ask: (text) => dataSource.query(text),
    },
    "a QueryRunner's client": {
      async take() {
        const runner = dataSource.createQueryRunner();
        const client = (await runner.connect()) as PoolClient;
        return { query: (text) => client.query(text), release: () => runner.release() };
      },
      ask: (text) => dataSource.manager.query(text),
    },
  };

  describe.each(Object.keys(ways))('a savepoint by hand on %s', (way) => {
    testHandWrittenSavepoints({
      ...ways[way]!,
      labels: () => labelsIn(db),
      wrong: 'SELECT 1/0',
    });
  });

  test.each([
    ['SAVEPOINT "A b"', 'ROLLBACK TO "A b"'],
    ['SAVEPOINT"a"', 'rollback work to"a"'],
    ['SAVEPOINT "a"', 'ROLLBACK TO A'],
    ['SAVEPOINT "a -- b"', 'ROLLBACK TO "a -- b" -- b'],
    ['SAVEPOINT "q""q"', 'ROLLBACK TRANSACTION TO SAVEPOINT "q""q"'],
    ['SAVEPOINT a', 'RELEASE a'],
    ['SAVEPOINT savepointa', 'ROLLBACK TO savepointa'],
    ['SAVEPOINT größe', 'ROLLBACK TO größe'],
  ])('%s is what %s means', async (set, end) => {
    await runInTransaction(async () => {
      const client = await pool.connect();
      await client.query(set);
      await expect(client.query(end)).resolves.toMatchObject({ rowCount: null });
      client.release();
    });
  });

  test.each([
    ['SAVEPOINT "A"', 'ROLLBACK TO a'],
    ['SELECT 1', 'ROLLBACK TO SAVEPOINT a; SELECT 1'],
    ['SAVEPOINT a; SELECT 1', 'ROLLBACK TO SAVEPOINT a'],
    ['SAVEPOINT a', "ROLLBACK TO U&'a'"],
  ])('%s: %s is refused', async (set, end) => {
    await runInTransaction(async () => {
      const client = await pool.connect();
      await client.query(set);
      expect(await failureOf(client.query(end))).toBeInstanceOf(TransactionControlError);
      client.release();
    });
  });

  test('what is not looked into does not find it on the server either', async () => {
    const called = runInTransaction(async () => {
      const client = await pool.connect();
      await client.query('SAVEPOINT a');
      await pool.query("INSERT INTO entry (label) VALUES ('beside')");
      await failureOf(pool.query('SELECT 1; ROLLBACK TO SAVEPOINT a'));
      client.release();
    });
    expect(await failureOf(called)).toMatchObject({ code: 'UNEXPECTED_ROLLBACK', cause: { code: '3B001' } });
  });

  test('the answer to each is the server’s', async () => {
    await runInTransaction(async () => {
      const client = await pool.connect();
      const answers = [];
      for (const text of ['SAVEPOINT a', 'ROLLBACK TO SAVEPOINT a', 'RELEASE SAVEPOINT a']) {
        const { command, rowCount, rows } = await client.query(text);
        answers.push({ command, rowCount, rows });
      }
      client.release();
      expect(answers).toEqual(
        ['SAVEPOINT', 'ROLLBACK', 'RELEASE'].map((command) => ({ command, rowCount: null, rows: [] })),
      );
    });
  });

  test('Drizzle’s nested transactions undo their own work alone', async () => {
    const drizzled = drizzle(pool);
    const add = (label: string) => sql`INSERT INTO entry (label) VALUES (${label})`;
    await runInTransaction(() =>
      drizzled.transaction(async (outer) => {
        await outer.execute(add('outer'));
        await outer.transaction(async (inner) => void (await inner.execute(add('inner'))));
        const failing = outer.transaction(async (inner) => {
          await inner.execute(add('undone'));
          await inner.transaction(async (innermost) => void (await innermost.execute(add('undone'))));
          throw new Error('no');
        });
        await expect(failing).rejects.toThrow('no');
        await outer.execute(add('after'));
      }),
    );
    expect(await labelsIn(db)).toEqual(['outer', 'inner', 'after']);
  });

  test('Kysely’s controlled savepoints undo their own work alone', async () => {
    const kysely = new Kysely<object>({ dialect: new PostgresDialect({ pool }) });
    const add = (label: string) => kyselySql`INSERT INTO entry (label) VALUES (${label})`;
    await runInTransaction(async () => {
      const outer = await kysely.startTransaction().execute();
      await add('outer').execute(outer);
      const inner = await outer.savepoint('My point').execute();
      await add('undone').execute(inner);
      const back = await inner.rollbackToSavepoint('My point').execute();
      await add('after').execute(back);
      await (await back.releaseSavepoint('My point').execute()).commit().execute();
    });
    expect(await labelsIn(db)).toEqual(['outer', 'after']);
  });

  test('on a raw pool that is managed by itself, outside a transaction, they are the server’s', async () => {
    const own = db.pool({ max: 1 });
    const managed = managePool(own, { name: 'own' });
    try {
      const client = await own.connect();
      for (const text of ['BEGIN', 'SAVEPOINT a', 'ROLLBACK TO a', 'RELEASE a', 'COMMIT'])
        await client.query(text);
      client.release();
      await expect(own.query('SAVEPOINT a')).rejects.toMatchObject({ code: '25P01' });
    } finally {
      unmanagePool(managed);
    }
  });
});

describe.each(sqliteTypes)('a savepoint by hand on a QueryRunner of %s', (type) => {
  const source = useSqlite(type);
  testHandWrittenSavepoints({
    take: async () => runnerOf(source.dataSource),
    ask: (text) => source.dataSource.query(text),
    labels: () => labelsOf(source),
    shares: false,
    wrong: 'SELECT * FROM nowhere',
  });
});
