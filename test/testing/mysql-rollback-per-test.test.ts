import { runInTransaction } from 'holdfast';
import { rollbackPerTest } from 'holdfast/testing';
import { startMariadbPool, startMysqlPool } from '../conformance/mysql-pools.js';
import { mysqlError, mysqlLabelsIn, mysqlWaysIn, useMysqlWork } from '../conformance/mysql-ways-in.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { mysqlSchema } from '../harness/schema.js';

// MySQL takes SIGNAL in no prepared statement, which some of the ways send; CALL it does.
const db = useMysqlDatabase([
  ...mysqlSchema,
  "CREATE PROCEDURE lock_wait() SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1205, MESSAGE_TEXT = 'lock wait'",
]);

describe.each(mysqlWaysIn)('a transaction of the application through $name', (way) => {
  const work = useMysqlWork(db, way);
  rollbackPerTest();

  test('goes on after a statement that failed, as MySQL has it', async () => {
    await runInTransaction(async () => {
      await work.insert('before');
      await expect(work.fail()).rejects.toEqual(mysqlError('ER_BAD_NULL_ERROR'));
      await work.insert('after');
    });

    expect(await work.labels()).toEqual(['before', 'after']);
  });

  test('is run again after an error that says so', async () => {
    let runs = 0;
    await runInTransaction(
      async () => {
        await work.insert(`run ${++runs}`);
        if (runs < 3) await work.query('CALL lock_wait()');
      },
      { retry: { attempts: 3, backoffMs: 1 } },
    );

    expect(await work.labels()).toEqual(['run 3']);
  });
});

const borrowing = mysqlWaysIn.filter(({ name }) => /getConnection|createQueryRunner/.test(name));

describe.each(borrowing)('a connection of $name', (way) => {
  const work = useMysqlWork(db, way);
  rollbackPerTest();

  test.each([
    ['START TRANSACTION', 'COMMIT', ['before', 'inside', 'after']],
    ['begin', 'ROLLBACK', ['before', 'after']],
  ])('that sends %s and %s by hand', async (begin, end, expected) => {
    const connection = await work.capture();
    await connection.insert('before');
    await connection.query(begin);
    await connection.insert('inside');
    await connection.query(end);
    await connection.insert('after');
    await connection.release();

    expect(await work.labels()).toEqual(expected);
  });

  test('can end what it has not begun, as MySQL lets it', async () => {
    const connection = await work.capture();
    await connection.query('COMMIT');
    await connection.query('ROLLBACK');
    await connection.release();

    await work.insert('one');
    expect(await work.labels()).toEqual(['one']);
  });

  test('that is released inside its transaction leaves the turn to others', async () => {
    const connection = await work.capture();
    await connection.query('START TRANSACTION');
    await connection.insert('lost');
    await connection.release();

    await work.insert('one');
    expect(await work.labels()).toEqual(['one']);
  });

  test('may ask for the level that the transaction has, and for no other', async () => {
    const connection = await work.capture();
    await connection.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    await connection.query('START TRANSACTION');
    await connection.insert('one');
    await connection.query('COMMIT');
    await expect(
      connection.query('SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE'),
    ).rejects.toMatchObject({ code: 'TEST_TRANSACTION' });
    await connection.release();

    expect(await work.labels()).toEqual(['one']);
  });

  test('cannot write after START TRANSACTION READ ONLY', async () => {
    const connection = await work.capture();
    await connection.query('START TRANSACTION READ ONLY');
    await expect(connection.insert('undone')).rejects.toEqual(
      mysqlError('ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION'),
    );
    await connection.query('ROLLBACK');
    await connection.release();

    expect(await work.labels()).toEqual([]);
  });
});

describe('rows that are read one by one', () => {
  beforeEach(() => db.query('DELETE FROM entry'));
  rollbackPerTest();
  const insert = "INSERT INTO entry (label) VALUES ('one'), ('two')";
  const select = 'SELECT label FROM entry ORDER BY id';

  test.each([
    [
      'mysql2',
      async () => {
        const { pool, callbackPool } = startMysqlPool(db);
        await pool.query(insert);
        return callbackPool.query(select).stream();
      },
    ],
    [
      'mariadb',
      async () => {
        const { pool } = startMariadbPool(db);
        await pool.query(insert);
        return (await pool.getConnection()).queryStream(select);
      },
    ],
  ])('with %s are those of the test', async (_, open) => {
    const rows: unknown[] = [];
    for await (const row of await open()) rows.push(row);

    expect(rows).toEqual([{ label: 'one' }, { label: 'two' }]);
    expect(await mysqlLabelsIn(db)).toEqual([]);
  });
});
