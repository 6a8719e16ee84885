import 'reflect-metadata';
import type { Readable } from 'node:stream';
import { runInTransaction } from 'holdfast';
import type { DataSource } from 'typeorm';
import { startMariadbPool, startMysqlDataSource, startMysqlPool } from '../conformance/mysql-pools.js';
import { failureOf } from '../conformance/observing.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { useHandLimit, whenWaitingFor } from '../transaction/hand-limit.js';
import { useLog } from '../transaction/log.js';

const db = useMysqlDatabase();
useLog();
const limit = useHandLimit();

/** More than fits between the server and its reader. */
const MANY = `WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT a.i, REPEAT('x', 1000) AS pad FROM n AS a, n AS b`;

/** Ends every session of the test's database. */
async function kill(): Promise<void> {
  for (const { id } of await db.sessions()) await db.query(`KILL ${id}`);
}

const readers: Readonly<Record<string, () => Promise<() => Promise<Readable>>>> = {
  'queryRunner.stream() of TypeORM': async () => {
    const { dataSource } = (await startMysqlDataSource(db, 'mariadb')) as { dataSource: DataSource };
    return async () => {
      const runner = dataSource.createQueryRunner();
      return (await runner.stream(MANY)) as Readable;
    };
  },
  'pool.query().stream() of mysql2': async () => {
    const { callbackPool } = startMysqlPool(db);
    return async () => callbackPool.query(MANY).stream();
  },
  'queryStream() of mariadb': async () => {
    const { pool } = startMariadbPool(db);
    return async () => (await pool.getConnection()).queryStream(MANY);
  },
};

describe.each(Object.entries(readers))('%s', (_, start) => {
  test.each(['at its first row', 'far behind its rows'])(
    'a connection that is killed under its reader, %s, ends the loop with an error',
    async (when) => {
      const open = await start();
      let ended: unknown = 'never';
      const call = runInTransaction(
        async () => {
          let rows = 0;
          try {
            for await (const _row of await open()) {
              rows++;
              if (rows !== (when === 'at its first row' ? 1 : 500)) continue;
              await kill();
            }
            ended = `normally, after ${rows} rows`;
          } catch (error) {
            ended = error;
            throw error;
          }
        },
        { timeoutMs: 5000 },
      );
      const error = await failureOf(call);
      expect(ended).toMatchObject({ code: expect.any(String) });
      expect(error).toBe(ended);
    },
  );
});

test('the error of a stream whose connection is lost is of holdfast, and says to run the transaction again', async () => {
  const open = await readers['queryRunner.stream() of TypeORM']!();
  const call = runInTransaction(
    async () => {
      let killed: Promise<void> | undefined;
      for await (const _row of await open()) await (killed ??= kill());
    },
    { timeoutMs: 5000, name: 'Report.read' },
  );
  expect(await failureOf(call)).toMatchObject({
    code: 'CONNECTION_LOST',
    retryable: true,
    message: expect.stringMatching(
      /^The connection of "Report\.read" .*: .*[^.]\. The server rolls .* run it again\.$/,
    ),
  });
});

test('a method that goes on without its connection, until its time is up: the error says that it was lost', async () => {
  const { pool } = startMysqlPool(db);
  const call = runInTransaction(
    async () => {
      await pool.query('SELECT 1');
      await kill();
      await whenWaitingFor(/had been lost/);
      limit.pass();
      await new Promise(() => undefined);
    },
    { timeoutMs: limit.timeoutMs },
  );
  expect(await failureOf(call)).toMatchObject({
    code: 'TRANSACTION_TIMEOUT',
    message: expect.stringMatching(
      /waited for nothing from the database any more: its connection had been lost \(.*server closed the connection\)\./i,
    ),
  });
});
