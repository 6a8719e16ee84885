import type { DataSource, EntityManager } from 'typeorm';
import { useDatabase } from '../harness/database.js';
import {
  conformanceSchema,
  Entry,
  expectCleanPool,
  failureOf,
  labelsIn,
  openings,
  useWork,
  waysIn,
} from './ways-in.js';

const db = useDatabase({ schema: conformanceSchema });
const boom = new Error('branch');

type Transact = (work: (manager: EntityManager) => Promise<unknown>) => Promise<unknown>;

/** TypeORM's own transactions, as code that knows nothing of holdfast writes them. */
const forms: readonly (readonly [string, (dataSource: DataSource) => Transact])[] = [
  ['dataSource.transaction()', (ds) => (work) => ds.transaction(work)],
  [
    'captured manager.transaction()',
    ({ manager }) =>
      (work) =>
        manager.transaction(work),
  ],
  ['repository.manager.transaction()', (ds) => (work) => ds.getRepository(Entry).manager.transaction(work)],
  [
    'createEntityManager().transaction()',
    (ds) => {
      const manager = ds.createEntityManager();
      return (work) => manager.transaction(work);
    },
  ],
  [
    'createQueryRunner().manager.transaction()',
    (ds) => (work) => ds.createQueryRunner().manager.transaction(work),
  ],
];

const grid = openings.flatMap((opening) =>
  forms.map(([form, of]) => ({ name: `${form} in ${opening.name}`, opening, of })),
);

describe.each(grid)('three at once: $name', ({ opening, of }) => {
  const work = useWork(db, waysIn[3]!);

  const branch = (transact: Transact, label: string): Promise<unknown> =>
    transact(async (manager) => {
      await manager.insert(Entry, { label: `${label}.1` });
      await new Promise(setImmediate);
      await work.insert(`${label}.2`);
      if (label === 'b') throw boom;
    });

  test('take turns; one that fails and is caught undoes only itself', async () => {
    await opening.run(async () => {
      const transact = of(work.dataSource!);
      await Promise.all([
        branch(transact, 'a'),
        failureOf(branch(transact, 'b')).then((error) => expect(error).toBe(boom)),
        branch(transact, 'c'),
        work.insert('plain'),
      ]);
      expect(await labelsIn(db)).toEqual([]);
    });
    expect((await labelsIn(db)).sort()).toEqual(['a.1', 'a.2', 'c.1', 'c.2', 'plain']);
    await expectCleanPool(work.pool, db);
  });

  test('one inside the other, the inner one fails and is caught', async () => {
    await opening.run(async () => {
      const transact = of(work.dataSource!);
      await transact(async (outer) => {
        await outer.insert(Entry, { label: 'outer' });
        const inner = transact(async (manager) => {
          await manager.insert(Entry, { label: 'inner' });
          throw boom;
        });
        expect(await failureOf(inner)).toBe(boom);
        await outer.insert(Entry, { label: 'outer again' });
      });
    });
    expect(await labelsIn(db)).toEqual(['outer', 'outer again']);
    await expectCleanPool(work.pool, db);
  });

  test('one swallows an SQL error and returns: it rejects, the others are kept', async () => {
    await opening.run(async () => {
      const transact = of(work.dataSource!);
      const swallowing = transact(async (manager) => {
        await manager.insert(Entry, { label: 'undone' });
        await failureOf(manager.query('SELECT 1/0'));
      });
      const [error] = await Promise.all([failureOf(swallowing), branch(transact, 'a')]);
      expect(error).toMatchObject({ code: 'UNEXPECTED_ROLLBACK', cause: { code: '22012' } });
    });
    expect(await labelsIn(db)).toEqual(['a.1', 'a.2']);
    await expectCleanPool(work.pool, db);
  });
});

describe.each(openings)('transactions by hand on QueryRunners of their own, at once, in $name', (opening) => {
  const work = useWork(db, waysIn[4]!);

  test('do not take turns: the one that ends out of order is told, and nothing is kept', async () => {
    const called = opening.run(
      async () => {
        const [first, second] = [work.dataSource!.createQueryRunner(), work.dataSource!.createQueryRunner()];
        await first.startTransaction();
        await second.startTransaction();
        await first.manager.insert(Entry, { label: 'first' });
        const error = await failureOf(first.commitTransaction());
        expect(error).toMatchObject({ code: 'SAVEPOINT_ORDER' });
        await second.commitTransaction();
        await Promise.all([first.release(), second.release()]);
      },
      { name: 'Orders.place' },
    );
    expect(await failureOf(called)).toMatchObject({
      code: 'UNEXPECTED_ROLLBACK',
      cause: { code: 'SAVEPOINT_ORDER' },
    });
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('left open by a method that returns: it is told, nothing is kept', async () => {
    const called = opening.run(async () => {
      const runner = work.dataSource!.createQueryRunner();
      await runner.startTransaction();
      await runner.manager.insert(Entry, { label: 'open' });
    });
    expect(await failureOf(called)).toMatchObject({ code: 'UNEXPECTED_ROLLBACK' });
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });
});
