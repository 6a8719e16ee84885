import { runInTransaction, UnexpectedRollbackError } from 'holdfast';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { failureOf, signal } from './observing.js';
import {
  closeMysqlGate,
  everyMysqlWay,
  expectCleanMysqlPool,
  mysqlConformanceSchema,
  mysqlLabelsIn,
  useMysqlWork,
} from './mysql-ways-in.js';

const db = useMysqlDatabase(mysqlConformanceSchema);
const boom = new Error('boom');

describe.each(everyMysqlWay)('$name', ({ way, opening }) => {
  const work = useMysqlWork(db, way);

  test('commits what the method did, and one that throws leaves nothing', async () => {
    const answer = await opening.run(async () => {
      await work.insert('one');
      await work.insert('two');
      expect(await mysqlLabelsIn(db)).toEqual([]);
      return work.labels();
    });
    expect(answer).toEqual(['one', 'two']);
    expect(await mysqlLabelsIn(db)).toEqual(['one', 'two']);

    const failing = opening.run(async () => {
      await work.insert('three');
      throw boom;
    });
    expect(await failureOf(failing)).toBe(boom);
    expect(await mysqlLabelsIn(db)).toEqual(['one', 'two']);
    await expectCleanMysqlPool(work, db);
  });

  test('row 1: a branch that is still running when another rejects leaves nothing', async () => {
    const gate = await closeMysqlGate(db);
    const blocked = gate.waiting();
    const called = opening.run(async () => {
      await Promise.all([
        work.insert('slow').then(() => work.insert('after the slow one')),
        blocked.then(() => Promise.reject(boom)),
      ]);
    });
    await blocked;
    await gate.open();
    expect(await failureOf(called)).toBe(boom);
    expect(await mysqlLabelsIn(db)).toEqual([]);
    await expectCleanMysqlPool(work, db);
  });

  test('row 2: a statement after the method returned is refused', async () => {
    const returned = signal();
    let late: Promise<unknown> = Promise.resolve();
    await opening.run(async () => {
      await work.insert('in time');
      late = failureOf(returned.sent.then(() => work.insert('late')));
    });
    returned.send();
    expect(await late).toMatchObject({ code: 'TRANSACTION_CLOSED' });
    expect(await mysqlLabelsIn(db)).toEqual(['in time']);
    await expectCleanMysqlPool(work, db);
  });

  test.each(['REQUIRES_NEW', 'NOT_SUPPORTED'] as const)(
    'rows 3 and 4: a plain branch beside a %s branch stays in the outer transaction',
    async (propagation) => {
      const called = opening.run(async () => {
        const id = await work.connectionId();
        const [other, plain] = await Promise.all([
          runInTransaction(
            async () => {
              await work.insert('other');
              return work.connectionId();
            },
            { propagation },
          ),
          work.insert('plain').then(() => work.connectionId()),
        ]);
        expect(plain).toBe(id);
        expect(other).not.toBe(id);
        throw boom;
      });
      expect(await failureOf(called)).toBe(boom);
      expect(await mysqlLabelsIn(db)).toEqual(['other']);
      await expectCleanMysqlPool(work, db);
    },
  );

  test('row 5: nested work is gone when the outer method throws after it', async () => {
    const called = opening.run(async () => {
      await work.insert('outer');
      await runInTransaction(() => work.insert('nested'), { propagation: 'NESTED' });
      throw boom;
    });
    expect(await failureOf(called)).toBe(boom);
    expect(await mysqlLabelsIn(db)).toEqual([]);
    await expectCleanMysqlPool(work, db);
  });

  test('row 6: of three nested at once the failing one alone is undone', async () => {
    await opening.run(async () => {
      const nested = (label: string): Promise<void> =>
        runInTransaction(
          async () => {
            await work.insert(label);
            if (label === 'b') throw boom;
            await work.insert(`${label}${label}`);
          },
          { propagation: 'NESTED' },
        );
      const ends = await Promise.allSettled(['a', 'b', 'c'].map(nested));
      expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    });
    expect(await mysqlLabelsIn(db)).toEqual(['a', 'aa', 'c', 'cc']);
    await expectCleanMysqlPool(work, db);
  });

  test('row 12: a joined method that throws makes the outer one reject, though it swallows the error', async () => {
    const called = opening.run(async () => {
      await work.insert('outer');
      await runInTransaction(async () => {
        await work.insert('inner');
        throw boom;
      }).catch(() => undefined);
    });
    expect(await failureOf(called)).toBeInstanceOf(UnexpectedRollbackError);
    expect(await mysqlLabelsIn(db)).toEqual([]);
    await expectCleanMysqlPool(work, db);
  });

  test('statements that are asked for at once run on one connection, in order', async () => {
    await opening.run(async () => {
      await Promise.all(['a', 'b', 'c', 'd'].map((label) => work.insert(label)));
      expect(work.managed.counts().inUse).toBe(1);
    });
    expect(await mysqlLabelsIn(db)).toEqual(['a', 'b', 'c', 'd']);
    await expectCleanMysqlPool(work, db);
  });

  test('a method without statements borrows no connection', async () => {
    const before = work.managed.counts().total;
    expect(await opening.run(async () => 'fine')).toBe('fine');
    expect(work.managed.counts()).toMatchObject({ total: before, inUse: 0 });
  });
});
