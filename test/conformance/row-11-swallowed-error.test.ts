import { QueryFailedError } from 'typeorm';
import { afterCommit, afterRollback, runInTransaction } from 'holdfast';
import { useDatabase } from '../harness/database.js';
import {
  conformanceSchema,
  everyWay,
  expectCleanPool,
  failureOf,
  labelsIn,
  openings,
  useWork,
  waysIn,
  withSqlState,
  type Work,
} from './ways-in.js';

const db = useDatabase({ schema: conformanceSchema });
const refused = { code: 'UNEXPECTED_ROLLBACK', retryable: false };

interface Swallowing {
  readonly title: string;
  readonly body: (work: Work) => Promise<unknown>;
  readonly sqlState: string;
}

const swallow = async (failing: Promise<unknown>): Promise<void> => void (await failureOf(failing));

const swallowings: readonly Swallowing[] = [
  {
    title: 'the last statement',
    body: (work) => swallow(work.fail()),
    sqlState: '23502',
  },
  {
    title: 'a statement in the middle, and every one behind it',
    body: async (work) => {
      await swallow(work.fail());
      expect(await failureOf(work.insert('after'))).toEqual(withSqlState('25P02'));
    },
    sqlState: '23502',
  },
  {
    title: 'a statement among others in Promise.allSettled',
    body: (work) => Promise.allSettled([work.insert('beside'), work.fail(), work.insert('beside too')]),
    sqlState: '23502',
  },
  {
    title: 'a statement that the server cannot parse',
    body: (work) => swallow(work.query('SELEC 1')),
    sqlState: '42601',
  },
  {
    title: 'a statement of a joined method, inside that method',
    body: (work) => runInTransaction(() => swallow(work.fail())),
    sqlState: '23502',
  },
  {
    title: 'a statement through a handle',
    body: async (work) => {
      const handle = await work.capture();
      await swallow(handle.query('SELECT 1/0'));
      await handle.release();
    },
    sqlState: '22012',
  },
];

describe.each(everyWay)('a failed statement is swallowed and the method returns: $name', (cell) => {
  const work = useWork(db, cell.way);

  test.each(swallowings)('$title: the caller is told, with the cause', async ({ body, sqlState }) => {
    const heard: string[] = [];
    const called = cell.opening.run(
      async () => {
        afterCommit(() => heard.push('commit'));
        afterRollback(() => heard.push('rollback'));
        await work.insert('undone');
        await body(work);
        return 'fine';
      },
      { name: 'Orders.place' },
    );
    const error = await failureOf(called);
    expect(error).toMatchObject({
      ...refused,
      name: 'UnexpectedRollbackError',
      message: expect.stringContaining('"Orders.place"'),
      cause: { code: sqlState },
    });
    expect(heard).toEqual(['rollback']);
    expect(await labelsIn(db)).toEqual([]);
    expect(work.pool.totalCount).toBe(1);
    await expectCleanPool(work.pool, db);
  });

  test.each(swallowings)('$title, as the first work of the transaction', async ({ body, sqlState }) => {
    expect(await failureOf(cell.opening.run(() => body(work)))).toMatchObject({
      ...refused,
      cause: { code: sqlState },
    });
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test.each(swallowings)(
    '$title, in a NESTED method: told there, the outer one is kept',
    async (swallowing) => {
      await cell.opening.run(async () => {
        await work.insert('outer');
        const nested = runInTransaction(
          async () => {
            await work.insert('undone');
            await swallowing.body(work);
          },
          { propagation: 'NESTED', name: 'Stock.take' },
        );
        expect(await failureOf(nested)).toMatchObject({
          ...refused,
          message: expect.stringContaining('"Stock.take"'),
          cause: { code: swallowing.sqlState },
        });
        await work.insert('outer again');
      });
      expect(await labelsIn(db)).toEqual(['outer', 'outer again']);
      await expectCleanPool(work.pool, db);
    },
  );

  test('a NESTED method behind it cannot repair it', async () => {
    const called = cell.opening.run(async () => {
      await swallow(work.fail());
      await swallow(runInTransaction(() => work.insert('nested'), { propagation: 'NESTED' }));
    });
    expect(await failureOf(called)).toMatchObject({ ...refused, cause: { code: '23502' } });
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('work that is kept in spite of an error (commitOn) is not kept either', async () => {
    const called = cell.opening.run(
      async () => {
        await work.insert('undone');
        await swallow(work.fail());
        throw new RangeError('to be committed');
      },
      { commitOn: RangeError },
    );
    expect(await failureOf(called)).toMatchObject({ ...refused, cause: { code: '23502' } });
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('a savepoint around the statement repairs it where it has a client: committed; else it is refused', async () => {
    const called = cell.opening.run(async () => {
      const handle = await work.capture();
      await handle.insert('before');
      await handle.query('SAVEPOINT mine');
      await swallow(handle.query('SELECT 1/0'));
      await handle.query('ROLLBACK TO SAVEPOINT mine');
      await handle.insert('after');
      await handle.release();
      return 'committed';
    });
    // What serves each call by itself cannot tell whose savepoint it is asked to undo.
    const oneByOne = ['pool.query()', 'TypeORM EntityManager', 'TypeORM repository', 'Prisma client'];
    const refusedOne = oneByOne.includes(cell.way.name);
    expect(await called.catch(({ code }: { code: string }) => code)).toBe(
      refusedOne ? 'TRANSACTION_CONTROL' : 'committed',
    );
    expect(await labelsIn(db)).toEqual(refusedOne ? [] : ['before', 'after']);
    await expectCleanPool(work.pool, db);
  });

  test('a statement that the database never saw spoils nothing', async () => {
    await cell.opening.run(async () => {
      await work.insert('before');
      const unsent =
        cell.way.orm === 'prisma'
          ? work.insert(7 as unknown as string)
          : work.query('SELECT 1', 'no array' as unknown as unknown[]);
      await swallow(unsent);
      await work.insert('after');
    });
    expect(await labelsIn(db)).toEqual(['before', 'after']);
    await expectCleanPool(work.pool, db);
  });

  test('the error comes through: the caller gets it as its way in throws it', async () => {
    const error = await failureOf(cell.opening.run(() => work.fail()));
    expect(error).toEqual(withSqlState('23502'));
    expect(error instanceof QueryFailedError).toBe(cell.way.orm === 'typeorm');
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });
});

describe.each(openings)('a value that throws on its way into a statement, in $name', (opening) => {
  const work = useWork(db, waysIn[0]!);
  const poison = {
    toPostgres() {
      throw new TypeError('no such value');
    },
  };

  test.each(['first', 'later'] as const)(
    'in the %s statement: rejects; the statement was not executed, so swallowing it spoils nothing',
    async (position) => {
      await opening.run(async () => {
        if (position === 'later') await work.insert('before');
        const failed = await failureOf(work.query('SELECT $1::text', [poison]));
        expect(failed).toMatchObject({ message: 'no such value' });
        await work.insert('after');
      });
      expect(await labelsIn(db)).toEqual(position === 'later' ? ['before', 'after'] : ['after']);
      expect(work.pool.totalCount).toBe(1);
      await expectCleanPool(work.pool, db);
    },
  );

  test('not swallowed: rolled back', async () => {
    const called = opening.run(async () => {
      await work.insert('undone');
      await work.query('SELECT $1::text', [poison]);
    });
    expect(await failureOf(called)).toMatchObject({ message: 'no such value' });
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });
});
