import {
  afterCommit,
  afterCompletion,
  afterRollback,
  beforeCommit,
  currentTransaction,
  runInTransaction,
} from 'holdfast';
import { rollbackPerTest } from 'holdfast/testing';
import { startMariadbPool, startMysqlPool } from '../conformance/mysql-pools.js';
import { mysqlError, mysqlLabelsIn, mysqlWaysIn, useMysqlWork } from '../conformance/mysql-ways-in.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';

const db = useMysqlDatabase();
const undone = new Error('undone');
const fail = (): never => {
  throw undone;
};

describe.each(mysqlWaysIn)('$name', (way) => {
  const work = useMysqlWork(db, way);
  beforeEach(() => db.query("INSERT INTO account (owner, balance) VALUES ('ada', 100)"));
  // While the test's transaction is open: nobody else sees its rows.
  afterEach(async () => {
    const committed = await mysqlLabelsIn(db);
    if (committed.length > 0) throw new Error(`committed: ${committed.join(', ')}`);
  });
  rollbackPerTest();

  describe.each(['the first test', 'the next test'])('%s, in a describe below the call', () => {
    test('sees the fixtures and what it wrote itself, and nothing of it is kept', async () => {
      await work.query('UPDATE account SET balance = balance - 30');
      await work.insert('by itself');
      await runInTransaction(() => work.insert('in a transaction'));

      expect(await work.labels()).toEqual(['by itself', 'in a transaction']);
      expect(await work.query('SELECT balance FROM account')).toEqual([{ balance: 70 }]);
    });
  });

  describe('a transaction of the application', () => {
    test('that fails undoes its own work only', async () => {
      await work.insert('before');
      await expect(runInTransaction(() => work.insert('inside').then(fail))).rejects.toBe(undone);
      await work.insert('after');

      expect(await work.labels()).toEqual(['before', 'after']);
    });

    test('has savepoints of its own', async () => {
      const nested = { propagation: 'NESTED' } as const;
      await runInTransaction(async () => {
        await work.insert('outer');
        await runInTransaction(() => work.insert('kept'), nested);
        await runInTransaction(() => work.insert('undone').then(fail), nested).catch(() => undefined);
      });

      expect(await work.labels()).toEqual(['outer', 'kept']);
    });

    test.each([
      ['committed', ['before commit', 'after commit', 'completed: committed'], async () => undefined],
      ['rolled back', ['after rollback', 'completed: rolled back'], async () => fail()],
    ])('that is %s has run its hooks when it ends', async (_, expected, end) => {
      const told: string[] = [];
      await runInTransaction(async () => {
        await work.insert('one');
        beforeCommit(() => told.push('before commit'));
        afterCommit(() => told.push('after commit'));
        afterRollback(() => told.push('after rollback'));
        afterCompletion((outcome) => told.push(`completed: ${outcome}`));
        await end();
      }).catch(() => undefined);

      expect(told).toEqual(expected);
    });

    test('sees in an after-commit hook what it committed, outside of it', async () => {
      let seen: unknown;
      await runInTransaction(async () => {
        await work.insert('one');
        afterCommit(async () => {
          seen = { transaction: currentTransaction(), labels: await work.labels() };
          await runInTransaction(() => work.insert('by the hook'));
        });
      });

      expect(seen).toEqual({ transaction: undefined, labels: ['one'] });
      expect(await work.labels()).toEqual(['one', 'by the hook']);
    });

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
          if (runs < 3)
            await work.query("SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1205, MESSAGE_TEXT = 'lock wait'");
        },
        { retry: { attempts: 3, backoffMs: 1 } },
      );

      expect(await work.labels()).toEqual(['run 3']);
    });

    test('that is read-only cannot write, and one after it can', async () => {
      await work.insert('before');
      const readOnly = <T>(call: () => Promise<T>) => runInTransaction(call, { readOnly: true });

      expect(await readOnly(() => work.labels())).toEqual(['before']);
      await expect(readOnly(() => work.insert('inside'))).rejects.toEqual(
        mysqlError('ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION'),
      );
      await runInTransaction(() => work.insert('after'));
      expect(await work.labels()).toEqual(['before', 'after']);
    });
  });

  describe('outside its transactions the application', () => {
    test('has statements that undo nothing but themselves when they fail', async () => {
      await work.insert('before');
      await expect(work.fail()).rejects.toEqual(mysqlError('ER_BAD_NULL_ERROR'));
      await work.insert('after');

      expect(await work.labels()).toEqual(['before', 'after']);
    });

    test('is outside any', async () => {
      expect(currentTransaction()).toBeUndefined();
      await expect(
        runInTransaction(() => work.insert('one'), { propagation: 'MANDATORY' }),
      ).rejects.toMatchObject({ code: 'PROPAGATION' });
      for (const propagation of ['NEVER', 'SUPPORTS', 'NOT_SUPPORTED', 'REQUIRES_NEW'] as const)
        await runInTransaction(() => work.insert(propagation), { propagation });

      expect(await work.labels()).toEqual(['NEVER', 'SUPPORTS', 'NOT_SUPPORTED', 'REQUIRES_NEW']);
    });
  });

  describe('several at once', () => {
    test('take turns, and nobody sees half of the work of another', async () => {
      const seen: number[] = [];
      await Promise.all(
        ['one', 'two', 'three'].map((name) =>
          runInTransaction(async () => {
            await work.insert(`${name} begins`);
            await work.insert(`${name} ends`);
            seen.push((await work.labels()).length);
          }),
        ),
      );

      expect(seen).toEqual([2, 4, 6]);
    });

    test('one that fails undoes nothing of another', async () => {
      const transfer = (label: string): Promise<void> =>
        runInTransaction(async () => {
          await work.insert(`${label} 1`);
          await work.insert(`${label} 2`);
          if (label === 'two') fail();
        });
      await Promise.allSettled(['one', 'two', 'three'].map(transfer));

      expect(await work.labels()).toEqual(['one 1', 'one 2', 'three 1', 'three 2']);
    });
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
