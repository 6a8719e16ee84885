import { runInTransaction } from 'holdfast';
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
  withSqlState,
  type Work,
} from './ways-in.js';

const db = useDatabase({ schema: conformanceSchema });
const boom = new Error('branch');
const nested = <T>(work: () => Promise<T>): Promise<T> => runInTransaction(work, { propagation: 'NESTED' });

/** Two statements with a pause between them, so that branches that are not kept apart would interleave. */
async function twoSteps(work: Work, label: string): Promise<void> {
  await work.insert(`${label}.1`);
  await new Promise(setImmediate);
  await work.insert(`${label}.2`);
}

const branches = ['a', 'b', 'c'];

interface Case {
  readonly title: string;
  /** What the branches do after their two inserts. */
  readonly ending: (work: Work, label: string) => Promise<void>;
  /** Labels that branches leave behind. */
  readonly kept: readonly string[];
  /** Codes or messages of what the branches' callers are told, by branch. */
  readonly told: readonly (object | undefined)[];
}

const only =
  (label: string, act: (work: Work) => Promise<void>) =>
  async (work: Work, branch: string): Promise<void> => {
    if (branch === label) await act(work);
  };

const allOf = (...labels: string[]): string[] => labels.flatMap((label) => [`${label}.1`, `${label}.2`]);

const cases: readonly Case[] = [
  { title: 'all succeed', ending: async () => undefined, kept: allOf('a', 'b', 'c'), told: [] },
  ...branches.map((failing, index): Case => ({
    title: `${failing} throws`,
    ending: only(failing, async () => {
      throw boom;
    }),
    kept: allOf(...branches.filter((label) => label !== failing)),
    told: branches.map((_, at) => (at === index ? boom : undefined)),
  })),
  {
    title: 'b fails with an SQL error',
    ending: only('b', (work) => work.fail()),
    kept: allOf('a', 'c'),
    told: [undefined, withSqlState('23502'), undefined],
  },
  {
    title: 'b swallows an SQL error',
    ending: only('b', async (work) => void (await failureOf(work.fail()))),
    kept: allOf('a', 'c'),
    told: [undefined, { code: 'UNEXPECTED_ROLLBACK', cause: { code: '23502' } }, undefined],
  },
  {
    title: 'b swallows an SQL error inside a NESTED of its own',
    ending: only('b', async (work) => void (await failureOf(nested(() => work.fail())))),
    kept: allOf('a', 'b', 'c'),
    told: [],
  },
  {
    title: 'all fail',
    ending: async () => {
      throw boom;
    },
    kept: [],
    told: [boom, boom, boom],
  },
];

describe.each(everyWay)('three NESTED methods in parallel: $name', ({ way, opening }) => {
  const work = useWork(db, way);

  test.each(cases)('$title', async ({ ending, kept, told }) => {
    await opening.run(async () => {
      await work.insert('before');
      const outcomes = await Promise.all(
        branches.map((label) =>
          nested(async () => {
            await twoSteps(work, label);
            await ending(work, label);
          }).catch((error: unknown) => error),
        ),
      );
      expect(outcomes).toMatchObject(branches.map((_, at) => told[at]));
      await work.insert('after');
    });
    // In pairs: no branch's statements stand between another's.
    expect(await labelsIn(db)).toEqual(['before', ...kept, 'after']);
    await expectCleanPool(work.pool, db);
  });

  test('one fails and nobody catches it: nothing is kept', async () => {
    const called = opening.run(() =>
      Promise.all(
        branches.map((label) =>
          nested(async () => {
            await twoSteps(work, label);
            if (label === 'b') throw boom;
          }),
        ),
      ),
    );
    expect(await failureOf(called)).toBe(boom);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('plain statements of the outer method beside them are not undone with them', async () => {
    await opening.run(async () => {
      const gate = await closeGate(db);
      const failing = failureOf(
        nested(async () => {
          await work.insert('slow');
          await work.insert('undone');
          throw boom;
        }),
      );
      await gate.waiting();
      const plain = Promise.all(['plain 1', 'plain 2'].map((label) => work.insert(label)));
      const kept = nested(() => twoSteps(work, 'kept'));
      await gate.open();
      expect(await failing).toBe(boom);
      await Promise.all([plain, kept]);
    });
    expect((await labelsIn(db)).sort()).toEqual(['kept.1', 'kept.2', 'plain 1', 'plain 2']);
    await expectCleanPool(work.pool, db);
  });

  test('a plain statement that is asked for between two steps of a failing branch is kept', async () => {
    await opening.run(async () => {
      const [inside, asked] = [signal(), signal()];
      const failing = failureOf(
        nested(async () => {
          await work.insert('undone');
          inside.send();
          await asked.sent;
          throw boom;
        }),
      );
      await inside.sent;
      const plain = work.insert('plain');
      await new Promise(setImmediate);
      asked.send();
      expect(await failing).toBe(boom);
      await plain;
    });
    expect(await labelsIn(db)).toEqual(['plain']);
    await expectCleanPool(work.pool, db);
  });

  test('NESTED inside NESTED, in parallel on both levels, with failures on both', async () => {
    await opening.run(async () => {
      await Promise.all(
        ['x', 'y', 'z'].map((outer) =>
          nested(async () => {
            await work.insert(`${outer}`);
            await Promise.all(
              branches.map((inner) =>
                nested(async () => {
                  await twoSteps(work, `${outer}${inner}`);
                  if (inner === 'b') throw boom;
                }).catch((error: unknown) => error),
              ),
            );
            if (outer === 'y') throw boom;
          }).catch((error: unknown) => error),
        ),
      );
    });
    expect((await labelsIn(db)).sort()).toEqual(
      ['x', ...allOf('xa', 'xc'), 'z', ...allOf('za', 'zc')].sort(),
    );
    await expectCleanPool(work.pool, db);
  });

  test('with a REQUIRED method inside each: its failure undoes its own branch only', async () => {
    await opening.run(async () => {
      const outcomes = await Promise.all(
        branches.map((label) =>
          nested(async () => {
            await work.insert(`${label}.1`);
            const joined = runInTransaction(
              async () => {
                await work.insert(`${label}.2`);
                if (label === 'b') throw boom;
              },
              { name: 'Stock.take' },
            );
            await joined.catch(() => undefined);
          }).catch((error: unknown) => error),
        ),
      );
      expect(outcomes).toMatchObject([undefined, { code: 'UNEXPECTED_ROLLBACK', cause: boom }, undefined]);
    });
    expect(await labelsIn(db)).toEqual(allOf('a', 'c'));
    await expectCleanPool(work.pool, db);
  });

  test('beside a REQUIRES_NEW branch: neither waits for the other nor undoes it', async () => {
    await opening.run(async () => {
      await Promise.all([
        nested(() => twoSteps(work, 'a')),
        failureOf(
          nested(async () => {
            await twoSteps(work, 'b');
            throw boom;
          }),
        ),
        runInTransaction(() => twoSteps(work, 'new'), { propagation: 'REQUIRES_NEW' }),
      ]);
      expect(await labelsIn(db)).toEqual(allOf('new'));
    });
    expect((await labelsIn(db)).sort()).toEqual(allOf('a', 'new'));
    await expectCleanPool(work.pool, db);
  });

  test('as the very first work of the transaction, the first branch failing in its first statement', async () => {
    await opening.run(async () => {
      const outcomes = await Promise.allSettled([
        nested(() => work.fail()),
        nested(() => twoSteps(work, 'b')),
        nested(() => work.fail()),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
    });
    expect(await labelsIn(db)).toEqual(allOf('b'));
    await expectCleanPool(work.pool, db);
  });

  test('one of them without any statement: costs the others nothing', async () => {
    await opening.run(async () => {
      await Promise.all([
        nested(async () => 'nothing'),
        nested(() => twoSteps(work, 'b')),
        failureOf(
          nested(async () => {
            throw boom;
          }),
        ),
      ]);
    });
    expect(await labelsIn(db)).toEqual(allOf('b'));
    await expectCleanPool(work.pool, db);
  });

  test('thirty of them, every third failing', async () => {
    const labels = Array.from({ length: 30 }, (_, index) => `n${index}`);
    await opening.run(async () => {
      await Promise.allSettled(
        labels.map((label, index) =>
          nested(async () => {
            await twoSteps(work, label);
            if (index % 3 === 0) throw boom;
          }),
        ),
      );
    });
    expect(await labelsIn(db)).toEqual(allOf(...labels.filter((_, index) => index % 3 !== 0)));
    await expectCleanPool(work.pool, db);
  });
});
