import {
  afterCommit,
  afterCompletion,
  afterRollback,
  IsolationMismatchError,
  ReadOnlyMismatchError,
  runInTransaction,
  SelfDeadlockError,
} from 'holdfast';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { failureOf, signal, until } from './observing.js';
import {
  everyMysqlWay,
  expectCleanMysqlPool,
  mysqlConformanceSchema,
  mysqlError,
  mysqlLabelsIn,
  useMysqlWork,
} from './mysql-ways-in.js';
import { useWitness } from './witness.js';

const db = useMysqlDatabase(mysqlConformanceSchema);
const witness = useWitness();

describe.each(everyMysqlWay)('$name', ({ way, opening }) => {
  const work = useMysqlWork(db, way);

  test('rows 7 and 8: hooks run after COMMIT, are awaited, and one that throws changes nothing', async () => {
    const seen: string[] = [];
    await opening.run(async () => {
      await work.insert('kept');
      afterCommit(() => {
        throw new Error('of a hook');
      });
      afterCommit(async () => {
        seen.push(...(await mysqlLabelsIn(db)));
      });
      afterRollback(() => seen.push('rolled back'));
      afterCompletion((completion) => seen.push(completion));
    });
    expect(seen).toEqual(['kept', 'committed']);
    expect(witness.logged).toHaveLength(1);
    expect(witness.escaped).toEqual([]);
    await expectCleanMysqlPool(work, db);
  });

  test('a read-only transaction refuses writes, as the server does', async () => {
    const called = opening.run(() => work.insert('never'), { readOnly: true });
    expect(await failureOf(called)).toEqual(mysqlError('ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION'));
    await expectCleanMysqlPool(work, db);
  });

  test('row 13: joining with another level, or to write in a read-only transaction, is refused', async () => {
    await opening.run(
      async () => {
        const other = runInTransaction(() => work.labels(), {
          isolationLevel: 'SERIALIZABLE',
          readOnly: true,
        });
        expect(await failureOf(other)).toBeInstanceOf(IsolationMismatchError);
        const writing = runInTransaction(() => work.insert('never'));
        expect(await failureOf(writing)).toBeInstanceOf(ReadOnlyMismatchError);
      },
      { readOnly: true },
    );
    expect(await mysqlLabelsIn(db)).toEqual([]);
    await expectCleanMysqlPool(work, db);
  });

  test('row 24: a consumer that was started before the transaction works outside of it', async () => {
    const message = signal();
    const consumer = message.sent.then(() => work.insert('of the consumer'));
    const boom = new Error('boom');
    const called = opening.run(async () => {
      await work.insert('undone');
      message.send();
      await consumer;
      throw boom;
    });
    expect(await failureOf(called)).toBe(boom);
    expect(await mysqlLabelsIn(db)).toEqual(['of the consumer']);
    await expectCleanMysqlPool(work, db);
  });

  test('row 25: a deadlock runs the whole method again, without the hooks of the failed attempt', async () => {
    await db.query("INSERT INTO account (id, owner) VALUES (1, 'ada'), (2, 'bob')");
    const hooks: number[] = [];
    const attempts: Record<string, number> = { a: 0, b: 0 };
    let holding = 0;
    const transfer = (name: string, first: number, second: number): Promise<void> =>
      opening.run(
        async () => {
          const attempt = (attempts[name]! += 1);
          afterCommit(() => hooks.push(attempt));
          await work.insert(name);
          await work.query('UPDATE account SET balance = balance + 1 WHERE id = ?', [first]);
          holding += 1;
          await until('both to hold a row', () => holding >= 2);
          await work.query('UPDATE account SET balance = balance + 1 WHERE id = ?', [second]);
        },
        { retry: { attempts: 3, backoffMs: 1 } },
      );
    await Promise.all([transfer('a', 1, 2), transfer('b', 2, 1)]);
    expect((await mysqlLabelsIn(db)).sort()).toEqual(['a', 'b']);
    expect(new Set(Object.values(attempts))).toEqual(new Set([1, 2]));
    expect(new Set(hooks)).toEqual(new Set([1, 2]));
    expect(await db.query('SELECT balance FROM account')).toEqual([{ balance: 2 }, { balance: 2 }]);
    await expectCleanMysqlPool(work, db);
  });

  test('row 25: a lock wait timeout undoes the statement alone on the server, and the whole with us', async () => {
    await db.query("INSERT INTO account (id, owner) VALUES (1, 'ada')");
    const other = await db.connection();
    await other.beginTransaction();
    await other.query('UPDATE account SET balance = 1 WHERE id = 1');
    let attempts = 0;
    await opening.run(
      async () => {
        attempts += 1;
        await work.insert(`attempt ${attempts}`);
        await work.query('SET innodb_lock_wait_timeout = 0');
        await work.query('UPDATE account SET balance = 2 WHERE id = 1').finally(() => other.rollback());
      },
      { retry: { attempts: 2, backoffMs: 1 } },
    );
    expect(attempts).toBe(2);
    expect(await mysqlLabelsIn(db)).toEqual(['attempt 2']);
    await expectCleanMysqlPool(work, db);
  });
});

describe.each(everyMysqlWay)('row 14, a pool of one: $name', ({ way, opening }) => {
  const work = useMysqlWork(db, way, { max: 1 });

  test.each(['REQUIRES_NEW', 'NOT_SUPPORTED'] as const)(
    '%s inside the transaction that holds it is a SelfDeadlockError, not a hang',
    async (propagation) => {
      const called = opening.run(async () => {
        await work.insert('outer');
        await runInTransaction(() => work.insert('inner'), { propagation });
      });
      const error = await failureOf(called);
      expect(error).toBeInstanceOf(SelfDeadlockError);
      expect(await mysqlLabelsIn(db)).toEqual([]);
      await work.insert('next');
      expect(await mysqlLabelsIn(db)).toEqual(['next']);
      await expectCleanMysqlPool(work, db);
    },
  );
});
