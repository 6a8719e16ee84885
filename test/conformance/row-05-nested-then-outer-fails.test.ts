import {
  afterCommit,
  afterCompletion,
  afterRollback,
  beforeCommit,
  currentTransaction,
  runInTransaction,
} from 'holdfast';
import { useDatabase } from '../harness/database.js';
import {
  conformanceSchema,
  everyWay,
  expectCleanPool,
  failureOf,
  labelsIn,
  useWork,
  withSqlState,
} from './ways-in.js';

const db = useDatabase({ schema: conformanceSchema });
const boom = new Error('outer');
const nested = <T>(work: () => Promise<T>): Promise<T> => runInTransaction(work, { propagation: 'NESTED' });

describe.each(everyWay)('NESTED succeeds, then the outer fails: $name', ({ way, opening }) => {
  const work = useWork(db, way);

  test.each([1, 2, 3])('the nested work is gone, at %i level(s)', async (levels) => {
    const atLevel = async (level: number): Promise<void> => {
      await work.insert(`level ${level}`);
      expect(currentTransaction()?.depth).toBe(level + 1);
      if (level < levels) await nested(() => atLevel(level + 1));
    };
    const called = opening.run(async () => {
      await nested(() => atLevel(1));
      expect(await work.labels()).toHaveLength(levels);
      throw boom;
    });
    expect(await failureOf(called)).toBe(boom);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('by an SQL error: gone as well', async () => {
    const called = opening.run(async () => {
      await work.insert('outer');
      await nested(() => work.insert('nested'));
      await work.fail();
    });
    expect(await failureOf(called)).toEqual(withSqlState('23502'));
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('at COMMIT: gone as well, and its hooks hear of the rollback', async () => {
    const heard: string[] = [];
    const called = opening.run(async () => {
      await nested(async () => {
        await work.insert('nested');
        await work.query('INSERT INTO child (id, parent_id) VALUES (1, 404)');
        afterCommit(() => heard.push('commit'));
        afterRollback(() => heard.push('rollback'));
        afterCompletion((completion) => heard.push(completion));
      });
    });
    expect(await failureOf(called)).toMatchObject({ code: '23503' });
    expect(heard).toEqual(['rollback', 'rolled back']);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('in a before-commit hook of the nested scope itself: gone as well', async () => {
    const called = opening.run(async () => {
      await nested(async () => {
        await work.insert('nested');
        beforeCommit(async () => {
          expect(await work.labels()).toEqual(['nested']);
          throw boom;
        });
      });
    });
    expect(await failureOf(called)).toBe(boom);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('hooks of the nested scope: promoted on release, told of the outer rollback, in order', async () => {
    const heard: string[] = [];
    const hooks = (who: string): void => {
      afterCommit(() => heard.push(`${who} commit`));
      afterRollback(() => heard.push(`${who} rollback`));
    };
    const called = opening.run(async () => {
      hooks('outer');
      await nested(async () => {
        hooks('nested');
        await nested(async () => {
          hooks('innermost');
          await work.insert('x');
        });
      });
      expect(heard).toEqual([]);
      throw boom;
    });
    expect(await failureOf(called)).toBe(boom);
    expect(heard).toEqual(['outer rollback', 'nested rollback', 'innermost rollback']);
    await expectCleanPool(work.pool, db);
  });

  test('a nested rollback drops the commit hooks of what was nested in it, and tells its rollback hooks', async () => {
    const heard: string[] = [];
    await opening.run(async () => {
      afterCommit(() => heard.push('outer commit'));
      const failed = nested(async () => {
        await nested(async () => {
          await work.insert('innermost');
          afterCommit(() => heard.push('innermost commit'));
          afterRollback(() => heard.push('innermost rollback'));
        });
        throw boom;
      });
      expect(await failureOf(failed)).toBe(boom);
      expect(heard).toEqual(['innermost rollback']);
      await work.insert('outer');
    });
    expect(heard).toEqual(['innermost rollback', 'outer commit']);
    expect(await labelsIn(db)).toEqual(['outer']);
    await expectCleanPool(work.pool, db);
  });

  test('both succeed: both are kept, hooks run once, after COMMIT', async () => {
    const heard: string[] = [];
    await opening.run(async () => {
      await work.insert('outer');
      await nested(async () => {
        await work.insert('nested');
        afterCommit(async () => heard.push(`saw ${(await labelsIn(db)).join(', ')}`));
      });
      expect(heard).toEqual([]);
    });
    expect(heard).toEqual(['saw outer, nested']);
    expect(await labelsIn(db)).toEqual(['outer', 'nested']);
    await expectCleanPool(work.pool, db);
  });

  test('NESTED without a transaction around it begins one: its failure leaves nothing', async () => {
    const called = opening.run(
      async () => {
        await work.insert('alone');
        throw boom;
      },
      { propagation: 'NESTED' },
    );
    expect(await failureOf(called)).toBe(boom);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });
});
