import {
  afterCommit,
  afterRollback,
  currentTransaction,
  runInTransaction,
  type Propagation,
  type TransactionOptions,
} from 'holdfast';
import { useDatabase } from '../harness/database.js';
import { conformanceSchema, everyWay, expectCleanPool, failureOf, labelsIn, useWork } from './ways-in.js';

const db = useDatabase({ schema: conformanceSchema });
const boom = new Error('no stock');

class Expected extends Error {}
class Unexpected extends Error {}

interface Inner {
  readonly title: string;
  readonly options: TransactionOptions;
  readonly error: unknown;
  /** What is left of the inner method's insert and of the outer's when the outer swallows the error. */
  readonly kept: 'nothing' | 'the outer' | 'both';
}

const ofMode = (propagation: Propagation, kept: Inner['kept']): Inner => ({
  title: propagation,
  options: { propagation },
  error: boom,
  kept,
});

const inners: readonly Inner[] = [
  ofMode('REQUIRED', 'nothing'),
  ofMode('MANDATORY', 'nothing'),
  ofMode('SUPPORTS', 'nothing'),
  ofMode('NESTED', 'the outer'),
  ofMode('REQUIRES_NEW', 'the outer'),
  ofMode('NOT_SUPPORTED', 'both'),
  {
    title: 'REQUIRED, the error in its commitOn',
    options: { commitOn: Expected },
    error: new Expected(),
    kept: 'both',
  },
  {
    title: 'REQUIRED, another error than its commitOn',
    options: { commitOn: Expected },
    error: new Unexpected(),
    kept: 'nothing',
  },
  {
    title: 'REQUIRED, the error in its rollbackOn',
    options: { rollbackOn: [Expected] },
    error: new Expected(),
    kept: 'nothing',
  },
  {
    title: 'REQUIRED, another error than its rollbackOn',
    options: { rollbackOn: (error: unknown) => error instanceof Expected },
    error: new Unexpected(),
    kept: 'both',
  },
  {
    title: 'NESTED, the error in its commitOn',
    options: { propagation: 'NESTED', commitOn: Expected },
    error: new Expected(),
    kept: 'both',
  },
  { title: 'REQUIRED, a thrown string', options: {}, error: 'no stock', kept: 'nothing' },
  { title: 'REQUIRED, a thrown undefined', options: {}, error: undefined, kept: 'nothing' },
];

describe.each(everyWay)('an inner method throws and the outer one swallows it: $name', ({ way, opening }) => {
  const work = useWork(db, way);

  test.each(inners)('$title: $kept is kept', async ({ options, error, kept }) => {
    const heard: string[] = [];
    const called = opening.run(
      async () => {
        afterCommit(() => heard.push('commit'));
        afterRollback(() => heard.push('rollback'));
        await work.insert('outer');
        const inner = opening.run(
          async () => {
            await work.insert('inner');
            throw error;
          },
          { ...options, name: 'Stock.take' },
        );
        expect(await failureOf(inner)).toBe(error);
        await work.insert('outer, unaware');
        return 'fine';
      },
      { name: 'Orders.place' },
    );
    const outcome = await called.catch((thrown: unknown) => thrown);
    const refusal: unknown = expect.objectContaining({
      code: 'UNEXPECTED_ROLLBACK',
      message: expect.stringMatching(/"Orders\.place".*"Stock\.take"/),
    });
    const labels = {
      nothing: [],
      'the outer': ['outer', 'outer, unaware'],
      both: ['outer', 'inner', 'outer, unaware'],
    };
    expect(outcome).toEqual(kept === 'nothing' ? refusal : 'fine');
    expect((outcome as Error).cause).toBe(kept === 'nothing' ? error : undefined);
    expect(heard).toEqual([kept === 'nothing' ? 'rollback' : 'commit']);
    expect(await labelsIn(db)).toEqual(labels[kept]);
    await expectCleanPool(work.pool, db);
  });

  test('a NEVER method refuses before it runs: the outer one is kept', async () => {
    await opening.run(
      async () => {
        await work.insert('outer');
        const never = opening.run(() => work.insert('never'), { propagation: 'NEVER', name: 'Stock.take' });
        expect(await failureOf(never)).toMatchObject({
          code: 'PROPAGATION',
          message: expect.stringMatching(/"Stock\.take".*"Orders\.place"/),
        });
      },
      { name: 'Orders.place' },
    );
    expect(await labelsIn(db)).toEqual(['outer']);
    await expectCleanPool(work.pool, db);
  });

  test('the innermost of three throws, the middle one swallows: the outermost is told of the innermost', async () => {
    const called = opening.run(
      () =>
        opening.run(
          async () => {
            const innermost = opening.run(
              async () => {
                await work.insert('innermost');
                throw boom;
              },
              { name: 'Stock.take' },
            );
            await failureOf(innermost);
          },
          { name: 'Orders.reserve' },
        ),
      { name: 'Orders.place' },
    );
    expect(await failureOf(called)).toMatchObject({
      code: 'UNEXPECTED_ROLLBACK',
      message: expect.stringMatching(/"Orders\.place".*"Stock\.take"/),
      cause: boom,
    });
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('inside a NESTED method: that one is told, and catching it keeps the outer one', async () => {
    await opening.run(async () => {
      await work.insert('outer');
      const nested = opening.run(
        async () => {
          await work.insert('nested');
          await failureOf(opening.run(() => Promise.reject(boom), { name: 'Stock.take' }));
        },
        { propagation: 'NESTED', name: 'Orders.reserve' },
      );
      expect(await failureOf(nested)).toMatchObject({
        code: 'UNEXPECTED_ROLLBACK',
        message: expect.stringMatching(/"Orders\.reserve".*"Stock\.take"/),
        cause: boom,
      });
    });
    expect(await labelsIn(db)).toEqual(['outer']);
    await expectCleanPool(work.pool, db);
  });

  test('a NESTED method between them that lets the error through: undone, the outer one is kept', async () => {
    await opening.run(async () => {
      await work.insert('outer');
      const nested = opening.run(
        async () => {
          await work.insert('nested');
          await opening.run(() => Promise.reject(boom));
        },
        { propagation: 'NESTED' },
      );
      expect(await failureOf(nested)).toBe(boom);
    });
    expect(await labelsIn(db)).toEqual(['outer']);
    await expectCleanPool(work.pool, db);
  });

  test('two throw: the outer one is told of the first', async () => {
    const second = new Error('second');
    const called = opening.run(async () => {
      await Promise.allSettled([
        opening.run(() => Promise.reject(boom), { name: 'First.call' }),
        work.insert('beside'),
        opening.run(() => Promise.reject(second), { name: 'Second.call' }),
      ]);
    });
    expect(await failureOf(called)).toMatchObject({
      code: 'UNEXPECTED_ROLLBACK',
      message: expect.stringContaining('"First.call"'),
      cause: boom,
    });
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('the outer one throws an error of its own: the caller gets that one', async () => {
    const own = new Error('of its own');
    const called = opening.run(async () => {
      await work.insert('outer');
      await failureOf(opening.run(() => Promise.reject(boom)));
      throw own;
    });
    expect(await failureOf(called)).toBe(own);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('the outer one wants to be kept in spite of its error (commitOn): it cannot be', async () => {
    const called = opening.run(
      async () => {
        await work.insert('outer');
        await failureOf(opening.run(() => Promise.reject(boom), { name: 'Stock.take' }));
        throw new Expected();
      },
      { commitOn: Expected },
    );
    expect(await failureOf(called)).toMatchObject({ code: 'UNEXPECTED_ROLLBACK', cause: boom });
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('an inner method that fails while nobody awaits it: nothing is kept, the caller is told', async () => {
    let ignored: Promise<Error> | undefined;
    const called = opening.run(async () => {
      await work.insert('outer');
      ignored = failureOf(
        opening.run(
          async () => {
            await work.insert('inner');
            throw boom;
          },
          { name: 'Stock.take' },
        ),
      );
    });
    expect(await failureOf(called)).toMatchObject({
      code: 'UNEXPECTED_ROLLBACK',
      message: expect.stringContaining('"Stock.take"'),
    });
    await ignored;
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });
});

describe.each(everyWay)('setRollbackOnly(): $name', ({ way, opening }) => {
  const work = useWork(db, way);

  test('in the method that opened the transaction: its caller gets the value, nothing is kept', async () => {
    const heard: string[] = [];
    const value = await opening.run(async () => {
      afterCommit(() => heard.push('commit'));
      afterRollback(() => heard.push('rollback'));
      await work.insert('undone');
      currentTransaction()?.setRollbackOnly();
      await work.insert('undone too');
      return 42;
    });
    expect(value).toBe(42);
    expect(heard).toEqual(['rollback']);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('in a joined method: the opening one is told who asked', async () => {
    const called = opening.run(
      async () => {
        await work.insert('undone');
        await opening.run(async () => currentTransaction()?.setRollbackOnly(), { name: 'Stock.take' });
      },
      { name: 'Orders.place' },
    );
    expect(await failureOf(called)).toMatchObject({
      code: 'UNEXPECTED_ROLLBACK',
      message: expect.stringMatching(/"Orders\.place".*"Stock\.take"/),
    });
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('in a NESTED method: that one is undone, the outer one is kept', async () => {
    const value = await opening.run(async () => {
      await work.insert('outer');
      const nested = await runInTransaction(
        async () => {
          await work.insert('nested');
          currentTransaction()?.setRollbackOnly();
          return 'nested value';
        },
        { propagation: 'NESTED' },
      );
      await work.insert('outer again');
      return nested;
    });
    expect(value).toBe('nested value');
    expect(await labelsIn(db)).toEqual(['outer', 'outer again']);
    await expectCleanPool(work.pool, db);
  });
});
