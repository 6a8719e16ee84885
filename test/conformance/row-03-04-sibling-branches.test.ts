import { currentTransaction, runInTransaction, runOutsideTransaction } from 'holdfast';
import { useDatabase } from '../harness/database.js';
import {
  closeGate,
  conformanceSchema,
  everyWay,
  expectCleanPool,
  failureOf,
  labelsIn,
  signal,
  useWork,
} from './ways-in.js';

const db = useDatabase({ schema: conformanceSchema });

type Branch = <T>(work: () => Promise<T>) => Promise<T>;

/** Branches that leave the outer transaction, while a plain one beside them must stay in it. */
const leaving: readonly (readonly [string, Branch])[] = [
  ['REQUIRES_NEW', (work) => runInTransaction(work, { propagation: 'REQUIRES_NEW' })],
  ['NOT_SUPPORTED', (work) => runInTransaction(work, { propagation: 'NOT_SUPPORTED' })],
  ['runOutsideTransaction()', (work) => runOutsideTransaction(work)],
];

const grid = everyWay.flatMap((cell) =>
  leaving.map(([branch, leave]) => ({ ...cell, branch, leave, title: `${cell.name} beside ${branch}` })),
);

describe.each(grid)('a plain branch of $title', ({ way, opening, leave, branch }) => {
  const work = useWork(db, way);
  const opensOne = branch === 'REQUIRES_NEW';

  test.each(['plain first', 'plain last'] as const)('is in the outer transaction: %s', async (order) => {
    await opening.run(async () => {
      const outer = await work.txid();
      const id = currentTransaction()?.id;
      const plain = async (): Promise<string> => {
        expect(currentTransaction()?.id).toBe(id);
        await work.insert('plain');
        expect(currentTransaction()?.id).toBe(id);
        return work.txid();
      };
      const away = (): Promise<string> =>
        leave(async () => {
          expect(currentTransaction()?.id === undefined).toBe(!opensOne);
          await work.insert('away');
          return work.txid();
        });
      const [first, last] = await (order === 'plain first'
        ? Promise.all([plain(), away()])
        : Promise.all([away(), plain()]).then(([a, p]) => [p, a] as const));
      expect(first).toBe(outer);
      expect(last).not.toBe(outer);
      expect(await labelsIn(db)).toEqual(['away']);
    });
    expect(new Set(await labelsIn(db))).toEqual(new Set(['plain', 'away']));
    await expectCleanPool(work.pool, db);
  });

  test('stays in it, step by step, while the other branch is at work', async () => {
    await opening.run(async () => {
      const outer = await work.txid();
      const [left, back] = [signal(), signal()];
      await Promise.all([
        leave(async () => {
          await work.insert('away');
          left.send();
          await back.sent;
          await work.insert('away again');
        }),
        (async () => {
          await left.sent;
          expect(await work.txid()).toBe(outer);
          await work.insert('plain');
          back.send();
          expect(await work.txid()).toBe(outer);
        })(),
      ]);
      expect(await work.txid()).toBe(outer);
      expect(await work.labels()).toEqual(['away', 'plain', 'away again']);
    });
    await expectCleanPool(work.pool, db);
  });

  test('is rolled back with the outer transaction; what left it is kept', async () => {
    const error = new Error('outer');
    const called = opening.run(async () => {
      await Promise.all([work.insert('plain'), leave(() => work.insert('away'))]);
      throw error;
    });
    expect(await failureOf(called)).toBe(error);
    expect(await labelsIn(db)).toEqual(['away']);
    await expectCleanPool(work.pool, db);
  });

  test('is kept when the branch that left fails and is caught', async () => {
    await opening.run(async () => {
      const outer = await work.txid();
      await Promise.all([
        failureOf(
          leave(async () => {
            await work.insert('away');
            await work.fail();
          }),
        ),
        work.insert('plain'),
      ]);
      expect(await work.txid()).toBe(outer);
    });
    // Outside any transaction each statement commits by itself.
    const kept = opensOne ? ['plain'] : ['away', 'plain'];
    expect(new Set(await labelsIn(db))).toEqual(new Set(kept));
    await expectCleanPool(work.pool, db);
  });

  test('uses the outer transaction although the other branch waits on the server', async () => {
    const gate = await closeGate(db);
    await opening.run(async () => {
      const outer = await work.txid();
      const away = leave(() => work.insert('slow'));
      await gate.waiting();
      expect(await work.txid()).toBe(outer);
      await work.insert('plain');
      await gate.open();
      await away;
    });
    expect(new Set(await labelsIn(db))).toEqual(new Set(['plain', 'slow']));
    await expectCleanPool(work.pool, db);
  });

  test('and a branch that joins from inside the one that left is back in nothing of the outer one', async () => {
    await opening.run(async () => {
      const outer = await work.txid();
      const inner = await leave(() => runInTransaction(() => work.txid()));
      expect(inner).not.toBe(outer);
    });
    await expectCleanPool(work.pool, db);
  });

  test('has the outer context again behind a promise that the other branch resolved', async () => {
    await opening.run(async () => {
      const outer = await work.txid();
      const done = signal();
      const later = done.sent.then(() => work.txid());
      await leave(async () => {
        await work.insert('away');
        done.send();
      });
      expect(await later).toBe(outer);
    });
    await expectCleanPool(work.pool, db);
  });
});

describe.each(everyWay)('two REQUIRES_NEW branches and two plain ones at once: $name', ({ way, opening }) => {
  const work = useWork(db, way, { max: 6 });

  test('three transactions, each with its own connection', async () => {
    await opening.run(async () => {
      const outer = await work.txid();
      const pid = await work.pid();
      const away = (): Promise<[string, number]> =>
        runInTransaction(async () => [await work.txid(), await work.pid()], { propagation: 'REQUIRES_NEW' });
      const plain = async (): Promise<[string, number]> => [await work.txid(), await work.pid()];
      const [a, b, c, d] = await Promise.all([away(), plain(), away(), plain()]);
      expect([b, d]).toEqual([
        [outer, pid],
        [outer, pid],
      ]);
      expect(new Set([outer, a[0], c[0]]).size).toBe(3);
      expect(new Set([pid, a[1], c[1]]).size).toBe(3);
    });
    await expectCleanPool(work.pool, db);
  });
});
