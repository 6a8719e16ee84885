import {
  afterCommit,
  afterCompletion,
  afterRollback,
  beforeCommit,
  currentTransaction,
  runInTransaction,
} from 'holdfast';
import { rollbackPerTest } from 'holdfast/testing';
import { mysqlLabelsIn, mysqlWaysIn } from '../conformance/mysql-ways-in.js';
import { labelsIn } from '../conformance/observing.js';
import { waysIn } from '../conformance/ways-in.js';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';

const postgres = useDatabase();
const mysql = useMysqlDatabase();

interface Work {
  insert(label: string): Promise<void>;
  /** Inserts NULL where none may be. */
  fail(): Promise<void>;
  labels(): Promise<string[]>;
  query(sql: string): Promise<object[]>;
}

interface Way {
  readonly name: string;
  readonly db: { truncate(): Promise<void>; query(sql: string): Promise<unknown> };
  start(): Promise<Work>;
  /** What is there for everybody. */
  committed(): Promise<string[]>;
}

const ways: readonly Way[] = [
  ...waysIn.map((way) => ({
    name: `PostgreSQL, ${way.name}`,
    db: postgres,
    start: () => way.start(postgres),
    committed: () => labelsIn(postgres),
  })),
  ...mysqlWaysIn.map((way) => ({
    name: `MariaDB, ${way.name}`,
    db: mysql,
    start: () => way.start(mysql),
    committed: () => mysqlLabelsIn(mysql),
  })),
];

const undone = new Error('undone');
const fail = (): never => {
  throw undone;
};

describe.each(ways)('$name', ({ db, start, committed }) => {
  let work: Work;
  beforeEach(async () => {
    await db.truncate();
    await db.query("INSERT INTO account (owner, balance) VALUES ('ada', 100)");
    work = await start();
  });
  // While the test's transaction is open: nobody else sees its rows.
  afterEach(async () => {
    const kept = await committed();
    if (kept.length > 0) throw new Error(`committed: ${kept.join(', ')}`);
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

    test('that is read-only cannot write, and one after it can', async () => {
      await work.insert('before');
      const readOnly = <T>(call: () => Promise<T>) => runInTransaction(call, { readOnly: true });

      expect(await readOnly(() => work.labels())).toEqual(['before']);
      await expect(readOnly(() => work.insert('inside'))).rejects.toThrow(/read.only transaction/i);
      await runInTransaction(() => work.insert('after'));
      expect(await work.labels()).toEqual(['before', 'after']);
    });
  });

  describe('outside its transactions the application', () => {
    test('has statements that undo nothing but themselves when they fail', async () => {
      await work.insert('before');
      await expect(work.fail()).rejects.toThrow(/null/i);
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
