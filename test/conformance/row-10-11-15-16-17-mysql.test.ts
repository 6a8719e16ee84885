import { runInTransaction, UnexpectedRollbackError } from 'holdfast';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { failureOf, until } from './observing.js';
import { startMysqlPool } from './mysql-pools.js';
import {
  closeMysqlGate,
  everyMysqlWay,
  expectCleanMysqlPool,
  mysqlConformanceSchema,
  mysqlError,
  mysqlLabelsIn,
  useMysqlWork,
} from './mysql-ways-in.js';
import { useWitness } from './witness.js';

const db = useMysqlDatabase([...mysqlConformanceSchema, 'CREATE PROCEDURE commits() BEGIN COMMIT; END']);
const witness = useWitness();
const boom = new Error('boom');

/** Ends a session, and waits until the server has let it go. */
async function kill(id: number): Promise<void> {
  await db.query(`KILL ${id}`);
  await until('the session to be gone', async () => (await db.sessions()).every((each) => each.id !== id));
}

describe.each(everyMysqlWay)('$name', ({ way, opening }) => {
  const work = useMysqlWork(db, way);

  describe('row 10: the server kills the session', () => {
    test('while it is idle: the next statement rejects, and the method with it', async () => {
      let before = 0;
      const called = opening.run(async () => {
        await work.insert('lost');
        before = work.managed.counts().total;
        await kill(await work.connectionId());
        await work.insert('after');
      });
      expect(await failureOf(called)).toMatchObject({ code: 'CONNECTION_LOST', retryable: true });
      expect(await mysqlLabelsIn(db)).toEqual([]);
      expect(work.managed.counts().total).toBe(before - 1);
      expect(witness.escaped).toEqual([]);
      await expectCleanMysqlPool(work, db);
    });

    test('while it is idle, and no further statement comes: the caller is told all the same', async () => {
      const called = opening.run(async () => {
        await work.insert('lost');
        await kill(await work.connectionId());
      });
      expect(await failureOf(called)).toMatchObject({ code: 'CONNECTION_LOST' });
      expect(await mysqlLabelsIn(db)).toEqual([]);
      expect(witness.escaped).toEqual([]);
      await expectCleanMysqlPool(work, db);
    });

    test('while a statement runs: it rejects, and nothing is kept', async () => {
      const gate = await closeMysqlGate(db);
      const called = opening.run(async () => {
        await work.insert('lost');
        const id = await work.connectionId();
        await Promise.all([work.insert('slow'), gate.waiting().then(() => kill(id))]);
      });
      expect(await failureOf(called)).toBeInstanceOf(Error);
      expect(await mysqlLabelsIn(db)).toEqual([]);
      expect(witness.escaped).toEqual([]);
      await gate.open();
      await expectCleanMysqlPool(work, db);
    });
  });

  describe('row 11: a failed statement is swallowed', () => {
    test('the server undoes that statement alone, so the rest is committed, and the caller is told so', async () => {
      await opening.run(async () => {
        await work.insert('before');
        expect(await failureOf(work.fail())).toEqual(mysqlError('ER_BAD_NULL_ERROR'));
        await work.insert('after');
      });
      expect(await mysqlLabelsIn(db)).toEqual(['before', 'after']);
      await expectCleanMysqlPool(work, db);
    });

    test('one that nobody swallows rolls back', async () => {
      const called = opening.run(async () => {
        await work.insert('before');
        await work.fail();
      });
      expect(await failureOf(called)).toEqual(mysqlError('ER_BAD_NULL_ERROR'));
      expect(await mysqlLabelsIn(db)).toEqual([]);
      await expectCleanMysqlPool(work, db);
    });
  });

  describe('row 16: a deadlock is swallowed', () => {
    /** Makes the running transaction the victim: it holds less than the other one. */
    async function deadlock(): Promise<void> {
      const other = await db.connection();
      await other.query("INSERT INTO account (id, owner) VALUES (1, 'ada'), (2, 'bob')");
      await other.beginTransaction();
      await other.query("INSERT INTO entry (label) VALUES ('weight'), ('weight'), ('weight')");
      await other.query('UPDATE account SET balance = 1 WHERE id = 2');
      await work.query('UPDATE account SET balance = 1 WHERE id = 1');
      const mine = failureOf(work.query('UPDATE account SET balance = 1 WHERE id = 2'));
      await until('a lock wait', async () => {
        const rows = await db.query(
          "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'UPDATE account%WHERE id = 2' AND db = database()",
        );
        return rows.length === 1;
      });
      await other.query('UPDATE account SET balance = 1 WHERE id = 1');
      await other.rollback();
      expect(await mine).toEqual(mysqlError('ER_LOCK_DEADLOCK'));
    }

    test.each<[how: string, end: () => void, told: unknown]>([
      ['returns', () => undefined, expect.any(UnexpectedRollbackError)],
      [
        'throws',
        () => {
          throw boom;
        },
        boom,
      ],
    ])('another insert, and the method %s: it rejects, nothing is kept', async (_, end, told) => {
      const called = opening.run(async () => {
        await work.insert('before');
        await deadlock();
        expect(await failureOf(work.insert('after'))).toMatchObject({ code: 'TRANSACTION_CLOSED' });
        end();
      });
      expect(await failureOf(called)).toEqual(told);
      expect(await mysqlLabelsIn(db)).toEqual([]);
      await expectCleanMysqlPool(work, db);
    });

    test('inside a NESTED method whose error is caught: the outer one is told', async () => {
      const called = opening.run(async () => {
        await work.insert('before');
        await runInTransaction(deadlock, { propagation: 'NESTED' });
        await work.insert('after').catch(() => undefined);
      });
      expect(await failureOf(called)).toBeInstanceOf(UnexpectedRollbackError);
      expect(await mysqlLabelsIn(db)).toEqual([]);
      await expectCleanMysqlPool(work, db);
    });
  });

  describe('row 17: DDL inside a transaction', () => {
    test.each([
      ['CREATE TABLE sudden (id int)', 'CREATE TABLE'],
      ['/* a comment */ alter table entry add column x int', 'ALTER TABLE'],
      ['/*!50000 TRUNCATE entry */', 'TRUNCATE makes'],
      ['LOCK TABLES entry WRITE', 'LOCK TABLES'],
      ['SET STATEMENT max_statement_time = 1 FOR TRUNCATE TABLE entry', 'TRUNCATE TABLE'],
      ['CREATE TEMPORARY SEQUENCE counter', 'CREATE TEMPORARY SEQUENCE'],
      ["EXECUTE IMMEDIATE 'TRUNCATE TABLE entry'", 'TRUNCATE TABLE'],
    ])('%s is refused before it is sent, and named', async (ddl, named) => {
      const called = opening.run(async () => {
        await work.insert('kept');
        const error = await failureOf(work.query(ddl));
        expect(error).toMatchObject({ code: 'TRANSACTION_CONTROL' });
        expect(error.message).toContain(named);
        throw boom;
      });
      expect(await failureOf(called)).toBe(boom);
      expect(await mysqlLabelsIn(db)).toEqual([]);
      await expectCleanMysqlPool(work, db);
    });

    test('a temporary table commits nothing and is allowed', async () => {
      const called = opening.run(async () => {
        await work.insert('undone');
        await work.query('CREATE TEMPORARY TABLE IF NOT EXISTS scratch (id int)');
        await work.query('DROP TEMPORARY TABLE scratch');
        throw boom;
      });
      expect(await failureOf(called)).toBe(boom);
      expect(await mysqlLabelsIn(db)).toEqual([]);
    });

    test('a procedure that commits is noticed by the flags of its answer: the caller is told, and nothing follows', async () => {
      const called = opening.run(async () => {
        await work.insert('committed by the procedure');
        await work.query('CALL commits()');
        await work.insert('after');
      });
      expect(await failureOf(called)).toMatchObject({ code: 'TRANSACTION_CONTROL' });
      expect(await mysqlLabelsIn(db)).toEqual(['committed by the procedure']);
      await expectCleanMysqlPool(work, db);
    });
  });
});

describe('row 15: a client-side timeout inside a transaction', () => {
  test.each(['query', 'execute'] as const)(
    'of pool.%s(): the connection is closed, its rows are gone',
    async (method) => {
      const { pool, managed } = startMysqlPool(db, { max: 1 });
      await db.query('DELETE FROM entry');
      const gate = await closeMysqlGate(db);
      let id = 0;
      const called = runInTransaction(async () => {
        await pool.query("INSERT INTO entry (label) VALUES ('lost')");
        const [rows] = await pool.query('SELECT connection_id() AS id');
        id = (rows as { id: number }[])[0]!.id;
        const slow = { sql: "INSERT INTO entry (label) VALUES ('slow')", timeout: 50 };
        await (method === 'query' ? pool.query(slow) : pool.execute(slow));
      });
      expect(await failureOf(called)).toMatchObject({ code: 'PROTOCOL_SEQUENCE_TIMEOUT' });
      await gate.open();
      await until('the session to be gone', async () =>
        (await db.sessions()).every((each) => each.id !== id),
      );
      expect(await mysqlLabelsIn(db)).toEqual([]);
      await pool.query("INSERT INTO entry (label) VALUES ('next')");
      expect(await mysqlLabelsIn(db)).toEqual(['next']);
      expect(managed.leases()).toEqual([]);
      expect(witness.escaped).toEqual([]);
    },
  );

  test('of the transaction (timeoutMs): the statement is cancelled on the server, the connection goes on', async () => {
    const { pool, managed } = startMysqlPool(db, { max: 1 });
    await db.query('DELETE FROM entry');
    const gate = await closeMysqlGate(db);
    const called = runInTransaction(
      async () => {
        await pool.query("INSERT INTO entry (label) VALUES ('slow')");
      },
      { timeoutMs: 100 },
    );
    expect(await failureOf(called)).toMatchObject({ code: 'TRANSACTION_TIMEOUT' });
    const running = await db.query(
      "SELECT id FROM information_schema.processlist WHERE db = database() AND info LIKE '%gate%' AND id <> connection_id()",
    );
    expect(running).toEqual([]);
    await until('the rollback', () => managed.counts().inUse === 0);
    expect(managed.counts().total).toBe(1);
    await gate.open();
    await pool.query("INSERT INTO entry (label) VALUES ('next')");
    expect(await mysqlLabelsIn(db)).toEqual(['next']);
  });
});
