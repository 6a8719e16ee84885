import { afterCommit, runInTransaction, unmanagePool } from 'holdfast';
import { rollbackPerTest } from 'holdfast/testing';
import { failureOf, until } from '../conformance/observing.js';
import { startMariadbPool, startMysqlPool } from '../conformance/mysql-pools.js';
import {
  closeMysqlGate,
  mysqlConformanceSchema,
  mysqlLabelsIn,
  type MysqlWayIn,
  mysqlWaysIn,
  useMysqlWork,
} from '../conformance/mysql-ways-in.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { InnerTest } from './inner-test.js';

const db = useMysqlDatabase(mysqlConformanceSchema);
beforeAll(async () => {
  await db.query('CREATE TABLE plain (label varchar(20)) ENGINE=MyISAM');
  await db.query('CREATE PROCEDURE commits() BEGIN COMMIT; END');
  await db.query('CREATE PROCEDURE commits_and_goes_on() BEGIN COMMIT; START TRANSACTION; END');
});

const undone = new Error('undone');
const fail = (): never => {
  throw undone;
};

describe.each(mysqlWaysIn)('$name', (way) => {
  const work = useMysqlWork(db, way);
  const outer = <T>(call: () => Promise<T>): Promise<T> => runInTransaction(call, { name: 'Orders.place' });
  const audit = (): Promise<void> =>
    runInTransaction(() => work.insert('audit'), { propagation: 'REQUIRES_NEW', name: 'Audit.write' });
  const isolated = (): Promise<void> =>
    runInTransaction(() => work.insert('isolated'), { isolationLevel: 'SERIALIZABLE', name: 'Report.build' });

  describe('by default', () => {
    rollbackPerTest();

    test('REQUIRES_NEW, and statements outside, are refused inside a transaction, by name', async () => {
      await outer(async () => {
        await work.insert('order');
        await expect(audit()).rejects.toMatchObject({
          code: 'TEST_TRANSACTION',
          message: expect.stringMatching(/^"Audit.write" wants to be independent of .*"Orders.place"/),
        });
        await expect(
          runInTransaction(() => work.insert('x'), { propagation: 'NOT_SUPPORTED' }),
        ).rejects.toMatchObject({ code: 'TEST_TRANSACTION' });
      });

      expect(await work.labels()).toEqual(['order']);
    });

    test('a level of its own is refused, the one that it has anyway is not', async () => {
      await expect(isolated()).rejects.toMatchObject({
        code: 'TEST_TRANSACTION',
        message: expect.stringMatching(
          /^"Report.build" asks for SERIALIZABLE, and .* runs at REPEATABLE READ/,
        ),
      });
      await runInTransaction(() => work.insert('one'), { isolationLevel: 'REPEATABLE READ' });

      expect(await work.labels()).toEqual(['one']);
    });

    test.each([
      ['TRUNCATE TABLE entry', 'TRUNCATE TABLE'],
      ['CREATE TABLE sudden (id int)', 'CREATE TABLE'],
      ['LOCK TABLES entry WRITE', 'LOCK TABLES'],
    ])('%s, which would commit the test, is refused by name, and nothing is lost', async (ddl, named) => {
      await work.insert('before');
      await expect(work.query(ddl)).rejects.toMatchObject({
        code: 'TEST_TRANSACTION',
        message: expect.stringMatching(new RegExp(`^${named} makes the server commit .* rollbackPerTest`)),
      });
      await expect(outer(() => work.query(ddl))).rejects.toMatchObject({ code: 'TRANSACTION_CONTROL' });
      const allowed = runInTransaction(() => work.insert('undone').then(() => work.query(ddl)), {
        allowImplicitCommit: true,
      });
      await expect(allowed).rejects.toMatchObject({ code: 'TEST_TRANSACTION' });

      expect(await work.labels()).toEqual(['before']);
      expect(await mysqlLabelsIn(db)).toEqual([]);
    });
  });

  describe('with isolationLevel', () => {
    rollbackPerTest({ isolationLevel: 'SERIALIZABLE' });

    test('the level may be asked for', async () => {
      await isolated();

      expect(await work.labels()).toEqual(['isolated']);
    });
  });

  describe('with allow', () => {
    rollbackPerTest({ allow: ['ISOLATION_LEVEL', 'REQUIRES_NEW', 'NOT_SUPPORTED'] });

    test('REQUIRES_NEW is a savepoint of the transaction around it, with hooks of its own', async () => {
      const told: string[] = [];
      const audited = (): Promise<void> =>
        runInTransaction(
          async () => {
            await work.insert('audit');
            afterCommit(() => told.push('audited'));
          },
          { propagation: 'REQUIRES_NEW' },
        );
      await outer(async () => {
        await work.insert('order');
        await audited();
        told.push('goes on');
      });
      await expect(outer(() => work.insert('undone').then(audited).then(fail))).rejects.toBe(undone);

      expect(told).toEqual(['audited', 'goes on', 'audited']);
      expect(await work.labels()).toEqual(['order', 'audit']);
    });

    test('statements outside the transaction run inside it, and a level has no effect', async () => {
      await outer(async () => {
        await work.insert('order');
        await runInTransaction(() => work.insert('outside'), { propagation: 'NOT_SUPPORTED' });
      });
      await isolated();

      expect(await work.labels()).toEqual(['order', 'outside', 'isolated']);
    });
  });

  describe('a test whose transaction cannot be rolled back as a whole fails', () => {
    afterEach(async () => void (await db.query('DELETE FROM plain')));
    const ended = {
      code: 'TEST_TRANSACTION',
      message: expect.stringContaining('ended the transaction that'),
    };

    test.each(['commits', 'commits_and_goes_on'])(
      'a procedure committed it (%s): the test fails, and nothing after it is kept',
      async (procedure) => {
        const test = new InnerTest();
        await test.begin();
        await work.insert('committed by the procedure');
        await work.query(`CALL ${procedure}()`).catch(() => undefined);
        const error = await failureOf(work.insert('after'));
        expect(error.message).toContain('can no longer be used');
        expect(error.message).not.toMatch(/is committed, or gone.*run it again/);

        await expect(test.end()).rejects.toMatchObject(ended);
        expect(await mysqlLabelsIn(db)).toEqual(['committed by the procedure']);
      },
    );

    test('a deadlock with another connection rolled it back', async () => {
      await db.query("INSERT INTO account (id, owner) VALUES (1, 'ada'), (2, 'bob')");
      const other = await db.connection();
      await other.beginTransaction();
      await other.query("INSERT INTO entry (label) VALUES ('weight'), ('weight'), ('weight')");
      await other.query('UPDATE account SET balance = 1 WHERE id = 2');
      const test = new InnerTest();
      await test.begin();
      await work.insert('lost');
      await outer(async () => {
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
        await mine;
      }).catch(() => undefined);
      await expect(work.insert('after')).rejects.toThrow('can no longer be used');

      await expect(test.end()).rejects.toMatchObject(ended);
      expect(await mysqlLabelsIn(db)).toEqual([]);
    });

    test('it wrote to a table without transactions', async () => {
      const run = new InnerTest().run(() => work.query("INSERT INTO plain VALUES ('stays')"));

      await expect(run).rejects.toMatchObject({
        code: 'TEST_TRANSACTION',
        message: expect.stringContaining('whose engine knows no transactions'),
      });
    });

    test('its connection was lost', async () => {
      const test = new InnerTest();
      await test.begin();
      const id = await work.connectionId();
      await db.query(`KILL ${id}`);
      await until('the session to be gone', async () =>
        (await db.sessions()).every((each) => each.id !== id),
      );
      await expect(work.insert('after')).rejects.toThrow('can no longer be used');

      await expect(test.end()).rejects.toThrow('was lost during the test');
      expect(await mysqlLabelsIn(db)).toEqual([]);
    });
  });

  test('a data source of that name on another database is refused inside the test', async () => {
    const test = new InnerTest();
    await test.begin();
    await work.insert('one');
    unmanagePool(work.managed);
    const other = await way.start(db, { url: db.url.replace(/[^/]*$/, 'information_schema') });

    await expect(other.query('SELECT 1')).rejects.toMatchObject({
      code: 'TEST_TRANSACTION',
      message: expect.stringContaining('led to another database before in this test'),
    });
    await test.end();
    expect(await mysqlLabelsIn(db)).toEqual([]);
  });

  test('a test that ends while work of it still runs: it is rolled back, and fails with its name', async () => {
    const gate = await closeMysqlGate(db);
    const test = new InnerTest({ graceMs: 20 });
    await test.begin();
    const order = failureOf(outer(() => work.insert('one').then(() => work.insert('slow'))));
    await gate.waiting();

    await expect(test.end()).rejects.toThrow('The test ended while "Orders.place" still ran');
    expect(await order).toMatchObject({ message: expect.any(String) });
    await gate.open();
    expect(await mysqlLabelsIn(db)).toEqual([]);
  });
});

test('a refusal is told to the callback of a callback pool', async () => {
  const { callbackPool, managed } = startMysqlPool(db);
  const test = new InnerTest();
  await test.begin();
  await new Promise((resolve) => callbackPool.query('SELECT 1', resolve));
  unmanagePool(managed);
  const other = startMysqlPool(db, { url: db.url.replace(/[^/]*$/, 'information_schema') });
  const told = new Promise((resolve) => other.callbackPool.query('SELECT 1', resolve));

  expect(await told).toMatchObject({ code: 'TEST_TRANSACTION' });
  await test.end();
});

/** The connector cancels by closing the connection, which is the one of the test. */
const closesToCancel = ({ driver }: MysqlWayIn): boolean => driver === 'mariadb';

describe('a transaction that runs too long', () => {
  const slow = { timeoutMs: 50 };

  describe.each(mysqlWaysIn.filter((way) => !closesToCancel(way)))('$name', (way) => {
    const work = useMysqlWork(db, way);
    rollbackPerTest();

    test('is cancelled, and the test goes on', async () => {
      const gate = await closeMysqlGate(db);
      await work.insert('before');
      await expect(runInTransaction(() => work.insert('slow'), slow)).rejects.toMatchObject({
        code: 'TRANSACTION_TIMEOUT',
      });

      expect(await work.labels()).toEqual(['before']);
      await gate.open();
    });
  });

  describe.each(mysqlWaysIn.filter(closesToCancel))('$name', (way) => {
    const work = useMysqlWork(db, way);

    test('takes the test with it, which fails and says so', async () => {
      const gate = await closeMysqlGate(db);
      const test = new InnerTest();
      await test.begin();
      // Its connection is there before the time limit counts.
      await work.labels();
      await expect(runInTransaction(() => work.insert('slow'), slow)).rejects.toMatchObject({
        code: 'TRANSACTION_TIMEOUT',
      });

      await expect(work.insert('after')).rejects.toThrow('can no longer be used');
      await expect(test.end()).rejects.toThrow('was lost during the test');
      await gate.open();
      expect(await mysqlLabelsIn(db)).toEqual([]);
    });
  });
});

describe('a pool that ends inside the test', () => {
  beforeEach(() => db.truncate());

  test('of mysql2: one that is started again goes on in the same transaction', async () => {
    await new InnerTest().run(async () => {
      const { pool } = startMysqlPool(db, { max: 1 });
      await pool.query("INSERT INTO entry (label) VALUES ('one')");
      await pool.end();
      const again = startMysqlPool(db);
      const [rows] = await again.pool.query('SELECT label FROM entry');
      expect(rows).toEqual([{ label: 'one' }]);
    });

    expect(await mysqlLabelsIn(db)).toEqual([]);
  });

  test('of mariadb: the transaction ends with it, and another pool of that name is refused', async () => {
    const test = new InnerTest();
    await test.begin();
    const { pool } = startMariadbPool(db);
    await pool.query("INSERT INTO entry (label) VALUES ('one')");
    await pool.end();
    const again = startMariadbPool(db);

    await expect(again.pool.query('SELECT 1')).rejects.toMatchObject({
      code: 'TEST_TRANSACTION',
      message: expect.stringContaining('another pool of the mariadb connector'),
    });
    await test.end();
    expect(await mysqlLabelsIn(db)).toEqual([]);
  });
});
