import { afterCommit, afterCompletion, currentTransaction, runInTransaction } from 'holdfast';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { startMysqlPool } from './mysql-pools.js';
import {
  everyMysqlWay,
  expectCleanMysqlPool,
  mysqlConformanceSchema,
  mysqlLabelsIn,
  useMysqlWork,
} from './mysql-ways-in.js';
import { failureOf } from './observing.js';

const db = useMysqlDatabase([...mysqlConformanceSchema, 'CREATE TABLE made (id int)']);
const boom = new Error('boom');
const allowed = { allowImplicitCommit: true, name: 'Schema.change' };
const ddl = "ALTER TABLE made COMMENT = 'changed'";

describe.each(everyMysqlWay)('$name, with allowImplicitCommit', ({ way, opening }) => {
  const work = useMysqlWork(db, way);

  test('what came before it is committed, what comes after it is in a transaction again', async () => {
    const called = opening.run(async () => {
      await work.insert('before');
      await work.query(ddl);
      expect(await mysqlLabelsIn(db)).toEqual(['before']);
      await work.insert('undone');
      expect(await mysqlLabelsIn(db)).toEqual(['before']);
      throw boom;
    }, allowed);
    expect(await failureOf(called)).toBe(boom);
    expect(await mysqlLabelsIn(db)).toEqual(['before']);
    await expectCleanMysqlPool(work, db);
  });

  test('hooks run once, when the method has returned', async () => {
    const told: string[] = [];
    await opening.run(async () => {
      afterCommit(() => told.push('after commit'));
      afterCompletion((completion) => told.push(completion));
      await work.query(ddl);
      await work.insert('between');
      await work.query('TRUNCATE TABLE made');
      await work.query(ddl);
      await work.insert('after');
      told.push('returns');
    }, allowed);
    expect(told).toEqual(['returns', 'after commit', 'committed']);
    expect(await mysqlLabelsIn(db)).toEqual(['between', 'after']);
    await expectCleanMysqlPool(work, db);
  });

  test('one that fails ends nothing: the method goes on, in a transaction', async () => {
    const called = opening.run(async () => {
      await work.insert('before');
      expect(await failureOf(work.query('CREATE TABLE entry (id int)'))).toMatchObject({
        message: expect.stringMatching(/'entry' already exists/),
      });
      await work.insert('undone');
      throw boom;
    }, allowed);
    expect(await failureOf(called)).toBe(boom);
    expect(await mysqlLabelsIn(db)).toEqual(['before']);
    await expectCleanMysqlPool(work, db);
  });

  test('a method that joined may send it; a savepoint cannot outlive it, and refuses it', async () => {
    const called = opening.run(async () => {
      await work.insert('before');
      await runInTransaction(() => work.query(ddl));
      await runInTransaction(
        async () => {
          await work.insert('undone');
          expect(await failureOf(work.query(ddl))).toMatchObject({
            code: 'TRANSACTION_CONTROL',
            message: expect.stringMatching(/^ALTER TABLE .* inside "nested"/),
          });
        },
        { propagation: 'NESTED', name: 'nested' },
      );
      throw boom;
    }, allowed);
    expect(await failureOf(called)).toBe(boom);
    expect(await mysqlLabelsIn(db)).toEqual(['before']);
    await expectCleanMysqlPool(work, db);
  });

  test.each(['LOCK TABLES entry WRITE', 'FLUSH TABLES entry WITH READ LOCK'])(
    '%s, whose lock the next START TRANSACTION would end, is refused all the same',
    async (sql) => {
      const called = opening.run(async () => {
        await work.insert('undone');
        expect(await failureOf(work.query(sql))).toMatchObject({
          code: 'TRANSACTION_CONTROL',
          message: expect.stringMatching(/ locks for its session .* SELECT … FOR UPDATE/),
        });
        throw boom;
      }, allowed);
      expect(await failureOf(called)).toBe(boom);
      expect(await mysqlLabelsIn(db)).toEqual([]);
      await expectCleanMysqlPool(work, db);
    },
  );

  test('a transaction that can only be rolled back is not committed by it', async () => {
    const called = opening.run(async () => {
      await work.insert('undone');
      currentTransaction()!.setRollbackOnly();
      expect(await failureOf(work.query(ddl))).toMatchObject({ code: 'TRANSACTION_CONTROL' });
    }, allowed);
    await called;
    expect(await mysqlLabelsIn(db)).toEqual([]);
    await expectCleanMysqlPool(work, db);
  });
});

describe('with allowImplicitCommit', () => {
  test('one inside a hand-written transaction is refused', async () => {
    const { pool } = startMysqlPool(db);
    await runInTransaction(async () => {
      const connection = await pool.getConnection();
      await connection.beginTransaction();
      expect(await failureOf(connection.query(ddl))).toMatchObject({ code: 'TRANSACTION_CONTROL' });
      await connection.rollback();
      connection.release();
    }, allowed);
  });

  test('a COMMIT before it that gets no answer: the outcome is unknown, and nothing follows', async () => {
    await db.query('DELETE FROM entry');
    const proxy = await db.proxy();
    proxy.once(/^COMMIT$/, { action: 'cut-after' });
    const { pool } = startMysqlPool(db, { url: proxy.url(db.url) });
    const insert = (label: string) => pool.query('INSERT INTO entry (label) VALUES (?)', [label]);
    const called = runInTransaction(async () => {
      await insert('before');
      await pool.query('DROP TABLE entry');
      await insert('after');
    }, allowed);
    expect(await failureOf(called)).toMatchObject({ code: 'COMMIT_OUTCOME_UNKNOWN' });
    expect(await mysqlLabelsIn(db)).toEqual(['before']);
  });
});
