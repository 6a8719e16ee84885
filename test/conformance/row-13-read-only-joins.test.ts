import { currentTransaction, runInTransaction, type Propagation } from 'holdfast';
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
const writers: readonly Propagation[] = ['REQUIRED', 'MANDATORY', 'NESTED'];
const joiners: readonly Propagation[] = [...writers, 'SUPPORTS'];

describe.each(everyWay)('read-only transactions: $name', ({ way, opening }) => {
  const work = useWork(db, way);

  test('the server itself refuses to write in one', async () => {
    const called = opening.run(() => work.insert('written'), { readOnly: true });
    expect(await failureOf(called)).toEqual(withSqlState('25006'));
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test.each(writers)(
    'a %s method that may write does not join one: both methods named',
    async (propagation) => {
      let ran = false;
      await opening.run(
        async () => {
          const refused = opening.run(
            async () => {
              ran = true;
            },
            { propagation, name: 'Stock.take' },
          );
          expect(await failureOf(refused)).toMatchObject({
            name: 'ReadOnlyMismatchError',
            code: 'READ_ONLY_MISMATCH',
            retryable: false,
            message: expect.stringMatching(/"Stock\.take".*"Orders\.list"/),
          });
          expect(await work.labels()).toEqual([]);
        },
        { readOnly: true, name: 'Orders.list' },
      );
      expect(ran).toBe(false);
      await expectCleanPool(work.pool, db);
    },
  );

  test('a SUPPORTS method joins one, and the server refuses its writes', async () => {
    const called = opening.run(
      () =>
        opening.run(
          async () => {
            expect(await work.labels()).toEqual([]);
            await work.insert('written');
          },
          { propagation: 'SUPPORTS' },
        ),
      { readOnly: true },
    );
    expect(await failureOf(called)).toEqual(withSqlState('25006'));
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test.each(joiners)('a read-only %s method joins one', async (propagation) => {
    await db.query(`INSERT INTO entry (label) VALUES ('there')`);
    await opening.run(
      async () => {
        const pid = await work.pid();
        const [labels, innerPid] = await opening.run(async () => [await work.labels(), await work.pid()], {
          propagation,
          readOnly: true,
        });
        expect([labels, innerPid]).toEqual([['there'], pid]);
        expect(currentTransaction()?.readOnly).toBe(true);
      },
      { readOnly: true },
    );
    await expectCleanPool(work.pool, db);
  });

  test.each(joiners)(
    'a read-only %s method joins a transaction that writes, and sees its rows',
    async (mode) => {
      await opening.run(async () => {
        await work.insert('outer');
        expect(await opening.run(() => work.labels(), { propagation: mode, readOnly: true })).toEqual([
          'outer',
        ]);
        await work.insert('outer again');
      });
      expect(await labelsIn(db)).toEqual(['outer', 'outer again']);
      await expectCleanPool(work.pool, db);
    },
  );

  test('REQUIRES_NEW inside one may write, and the other way round may not', async () => {
    await opening.run(() => opening.run(() => work.insert('new'), { propagation: 'REQUIRES_NEW' }), {
      readOnly: true,
    });
    const called = opening.run(async () => {
      await work.insert('outer');
      await opening.run(() => work.insert('refused'), { propagation: 'REQUIRES_NEW', readOnly: true });
    });
    expect(await failureOf(called)).toEqual(withSqlState('25006'));
    expect(await labelsIn(db)).toEqual(['new']);
    await expectCleanPool(work.pool, db);
  });

  test('a joined method of a joined read-only method is refused as well', async () => {
    const called = opening.run(
      () =>
        opening.run(() => runInTransaction(() => work.insert('written'), { name: 'Stock.take' }), {
          readOnly: true,
        }),
      { readOnly: true, name: 'Orders.list' },
    );
    expect(await failureOf(called)).toMatchObject({
      code: 'READ_ONLY_MISMATCH',
      message: expect.stringMatching(/"Stock\.take".*"Orders\.list"/),
    });
    await expectCleanPool(work.pool, db);
  });
});
