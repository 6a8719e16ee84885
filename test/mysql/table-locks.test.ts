import { runInTransaction } from 'holdfast';
import { startMariadbPool, startMysqlPool } from '../conformance/mysql-pools.js';
import { mysqlLabelsIn } from '../conformance/mysql-ways-in.js';
import { failureOf, until } from '../conformance/observing.js';
import { useWitness } from '../conformance/witness.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';

const db = useMysqlDatabase();
const witness = useWitness();
beforeEach(() => db.truncate());

interface Lent {
  query(sql: string): Promise<unknown>;
  prepared(sql: string): Promise<unknown>;
  release(): void | Promise<void>;
}

interface Sending {
  query(sql: string): Promise<unknown>;
  lend(): Promise<Lent>;
}

const drivers: { driver: string; start(max: number): Sending }[] = [
  {
    driver: 'mysql2',
    start(max) {
      const { pool } = startMysqlPool(db, { max });
      return {
        query: (sql) => pool.query(sql),
        async lend() {
          const connection = await pool.getConnection();
          return {
            query: (sql) => connection.query(sql),
            prepared: async (sql) => (await connection.prepare(sql)).execute([]),
            release: () => connection.release(),
          };
        },
      };
    },
  },
  {
    driver: 'mariadb',
    start(max) {
      const { pool } = startMariadbPool(db, { max });
      return {
        query: (sql) => pool.query(sql),
        async lend() {
          const connection = await pool.getConnection();
          return {
            query: (sql) => connection.query(sql),
            prepared: async (sql) => (await connection.prepare(sql)).execute(),
            release: () => connection.release(),
          };
        },
      };
    },
  },
];

const locking = [
  ['LOCK TABLES entry WRITE', 'LOCK TABLES'],
  ['  /* by hand */ lock tables entry read', 'LOCK TABLES'],
  ['FLUSH TABLES entry WITH READ LOCK', 'FLUSH TABLES … WITH READ LOCK'],
];
const insertOf = (label: string): string => `INSERT INTO entry (label) VALUES ('${label}')`;

/** Somebody else, who does not wait for locks for long. */
async function writesFromElsewhere(label: string): Promise<unknown> {
  const connection = await db.connection();
  await connection.query('SET lock_wait_timeout = 2');
  return connection.query(insertOf(label));
}

describe.each(drivers)('$driver', ({ start }) => {
  describe('inside a transaction', () => {
    test.each(locking)('%s is refused, with allowImplicitCommit as well', async (sql, named) => {
      const { query, lend } = start(2);
      for (const allowImplicitCommit of [false, true]) {
        const called = runInTransaction(
          async () => {
            await query(insertOf('undone'));
            const connection = await lend();
            for (const send of [query, connection.query, connection.prepared]) {
              const error = await failureOf(send(sql));
              expect(error).toMatchObject({ code: 'TRANSACTION_CONTROL' });
              expect(error.message).toContain(`${named} locks for its session`);
              expect(error.message).toContain('SELECT … FOR UPDATE');
            }
            await connection.release();
            throw new Error('boom');
          },
          { allowImplicitCommit },
        );
        expect((await failureOf(called)).message).toBe('boom');
      }
      expect(await mysqlLabelsIn(db)).toEqual([]);
      await writesFromElsewhere('not locked');
    });

    test('what a prepared statement commits is refused as well', async () => {
      const { query, lend } = start(2);
      await runInTransaction(async () => {
        await query(insertOf('kept'));
        const connection = await lend();
        expect(await failureOf(connection.prepared('TRUNCATE entry'))).toMatchObject({
          code: 'TRANSACTION_CONTROL',
        });
        await connection.release();
      });
      expect(await mysqlLabelsIn(db)).toEqual(['kept']);
    });
  });

  describe('outside a transaction', () => {
    test.each(locking)('a connection that is released after %s is closed', async (sql, named) => {
      const { query, lend } = start(1);
      const connection = await lend();
      await connection.query(sql);
      await connection.release();
      await query('INSERT INTO parent (id) VALUES (1)').catch(() => query('SELECT 1 FROM parent'));
      await writesFromElsewhere('not locked');
      expect(witness.messages).toEqual([
        expect.stringContaining(`released after ${named} without UNLOCK TABLES; the server ends the locks`),
      ]);
      expect(witness.escaped).toEqual([]);
    });

    test('so is one that prepared it, and one that pool.query() took', async () => {
      const { query, lend } = start(1);
      const connection = await lend();
      await connection.prepared('LOCK TABLES entry WRITE');
      await connection.release();
      await query('SELECT 1 FROM parent');
      await query('LOCK TABLES entry WRITE');
      await query('SELECT 1 FROM parent');
      await writesFromElsewhere('not locked');
      expect(witness.messages).toHaveLength(2);
    });

    test('a transaction on the next connection is not disturbed', async () => {
      const { query, lend } = start(1);
      const connection = await lend();
      await connection.query('LOCK TABLES parent READ');
      await connection.release();
      await runInTransaction(() => query(insertOf('kept')));
      expect(await mysqlLabelsIn(db)).toEqual(['kept']);
    });

    test('one that was unlocked is lent on', async () => {
      const { query, lend } = start(1);
      const connection = await lend();
      const id = await connection.query('SELECT connection_id() AS id');
      await connection.query('LOCK TABLES entry WRITE');
      await connection.query(insertOf('kept'));
      await connection.query('unlock tables');
      await connection.query('FLUSH TABLES');
      await connection.release();
      expect(JSON.stringify(await query('SELECT connection_id() AS id'))).toBe(JSON.stringify(id));
      expect(await mysqlLabelsIn(db)).toEqual(['kept']);
      expect(witness.messages).toEqual([]);
    });
  });
});

test('several statements in one text that unlock at its end leave nothing', async () => {
  const { pool } = startMysqlPool(db, { max: 1, multipleStatements: true });
  await pool.query(`LOCK TABLES entry WRITE; ${insertOf('kept')}; UNLOCK TABLES`);
  await pool.query('SELECT 1');
  expect(await mysqlLabelsIn(db)).toEqual(['kept']);
  expect(witness.messages).toEqual([]);
});

test('one that is given back while LOCK TABLES waits is closed', async () => {
  const { callbackPool, pool } = startMysqlPool(db, { max: 1 });
  const other = await db.connection();
  await other.query('LOCK TABLES entry WRITE');
  const connection = await pool.getConnection();
  const waiting = failureOf(connection.query('LOCK TABLES entry WRITE'));
  await until('it to wait', async () =>
    (await db.sessions()).some(({ query }) => query?.startsWith('LOCK') ?? false),
  );
  connection.release();
  await waiting;
  await other.query('UNLOCK TABLES');
  await writesFromElsewhere('not locked');
  expect(callbackPool).toBeDefined();
});
