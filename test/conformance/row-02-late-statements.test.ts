import { afterCommit, currentTransaction, runInTransaction, runOutsideTransaction } from 'holdfast';
import { useDatabase } from '../harness/database.js';
import {
  type Captured,
  closeGate,
  conformanceSchema,
  everyWay,
  expectCleanPool,
  failureOf,
  labelsIn,
  signal,
  useWork,
  withSqlState,
} from './ways-in.js';

const db = useDatabase({ schema: conformanceSchema });

type Later = (isOver: () => boolean, over: Promise<void>) => Promise<void>;

/** Ways in which code of a method gets to run after the method has returned. */
const moments: Readonly<Record<string, Later>> = {
  setImmediate: (isOver) =>
    new Promise((resolve) => {
      const again = (): void => void (isOver() ? resolve() : setImmediate(again));
      setImmediate(again);
    }),
  'a timer': (isOver) =>
    new Promise((resolve) => {
      const timer = setInterval(() => {
        if (!isOver()) return;
        clearInterval(timer);
        resolve();
      }, 1);
    }),
  'a promise': (_, over) => over,
};

describe.each(everyWay)('a statement that starts after the method returned: $name', ({ way, opening }) => {
  const work = useWork(db, way);

  test.each(Object.entries(moments))('started by %s: refused, nothing written', async (_, later) => {
    let isOver = false;
    const over = signal();
    let late: Promise<Error> | undefined;
    await opening.run(
      async () => {
        await work.insert('in time');
        late = failureOf(later(() => isOver, over.sent).then(() => work.insert('late')));
      },
      { name: 'Orders.place' },
    );
    isOver = true;
    over.send();
    const error = await late;
    expect(error).toMatchObject({
      name: 'TransactionClosedError',
      code: 'TRANSACTION_CLOSED',
      message: expect.stringContaining('"Orders.place"'),
      cause: { stack: expect.stringContaining('row-02-late-statements') },
    });
    expect(await labelsIn(db)).toEqual(['in time']);
    await expectCleanPool(work.pool, db);
  });

  test('after a rollback: refused as well', async () => {
    const over = signal();
    let late: Promise<Error> | undefined;
    await failureOf(
      opening.run(async () => {
        await work.insert('undone');
        late = failureOf(over.sent.then(() => work.insert('late')));
        throw new Error('no');
      }),
    );
    over.send();
    expect(await late).toMatchObject({ code: 'TRANSACTION_CLOSED' });
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('of a method that issued no statement in time: refused, no connection borrowed', async () => {
    const over = signal();
    let late: Promise<Error> | undefined;
    const before = work.pool.totalCount;
    await opening.run(async () => {
      late = failureOf(over.sent.then(() => work.insert('late')));
    });
    over.send();
    expect(await late).toMatchObject({ code: 'TRANSACTION_CLOSED' });
    expect(work.pool.totalCount).toBe(before);
    expect(await labelsIn(db)).toEqual([]);
  });

  test('while COMMIT is on its way: refused', async () => {
    const proxy = await db.proxy();
    const slow = await way.start(db, { url: proxy.url(db.url), name: 'through the proxy' });
    const commit = proxy.once(/^COMMIT/, { action: 'hold' });
    const committing = signal();
    let late: Promise<Error> | undefined;
    const called = opening.run(
      async () => {
        await slow.insert('in time');
        late = failureOf(committing.sent.then(() => slow.insert('late')));
      },
      { dataSource: 'through the proxy' },
    );
    await commit.fired;
    committing.send();
    expect(await late).toMatchObject({ code: 'TRANSACTION_CLOSED' });
    commit.release();
    await called;
    expect(await labelsIn(db)).toEqual(['in time']);
    await expectCleanPool(slow.pool, db);
  });

  test('transactional calls and hooks of a closed scope: refused; work outside it is free', async () => {
    const over = signal();
    const inScope = async <T>(run: () => T | Promise<T>): Promise<T> => {
      await over.sent;
      return run();
    };
    let refused: Promise<Error>[] = [];
    let free: Promise<unknown> | undefined;
    await opening.run(async () => {
      refused = [
        failureOf(inScope(() => runInTransaction(() => work.insert('late required')))),
        failureOf(inScope(() => runInTransaction(() => work.insert('late'), { propagation: 'NESTED' }))),
        failureOf(inScope(() => afterCommit(() => undefined))),
      ];
      free = inScope(async () => {
        await runOutsideTransaction(() => work.insert('outside'));
        await runInTransaction(() => work.insert('new'), { propagation: 'REQUIRES_NEW' });
        return currentTransaction();
      });
    });
    over.send();
    for (const error of await Promise.all(refused))
      expect(error).toMatchObject({ code: 'TRANSACTION_CLOSED' });
    expect(await free).toBeUndefined();
    expect(await labelsIn(db)).toEqual(['outside', 'new']);
    await expectCleanPool(work.pool, db);
  });

  test.each(['NESTED', 'REQUIRES_NEW'] as const)(
    'of a %s method, while the outer one still runs: refused, the outer one commits',
    async (propagation) => {
      const over = signal();
      let late: Promise<Error> | undefined;
      await opening.run(async () => {
        await work.insert('before');
        await runInTransaction(
          async () => {
            await work.insert('inner');
            late = failureOf(over.sent.then(() => work.insert('late')));
          },
          { propagation, name: 'Stock.take' },
        );
        over.send();
        expect(await late).toMatchObject({
          code: 'TRANSACTION_CLOSED',
          message: expect.stringContaining('"Stock.take"'),
        });
        await work.insert('after');
      });
      expect(new Set(await labelsIn(db))).toEqual(new Set(['before', 'inner', 'after']));
      await expectCleanPool(work.pool, db);
    },
  );

  test.each(['with', 'without'])(
    'a NESTED method that nobody awaited returns after the outer one, %s a statement: told that it was undone',
    async (statement) => {
      const [entered, goOn] = [signal(), signal()];
      let nested: Promise<Error> | undefined;
      const outer = failureOf(
        opening.run(async () => {
          await work.insert('outer');
          const call = opening.run(
            async () => {
              if (statement === 'with') await work.insert('nested');
              entered.send();
              await goOn.sent;
            },
            { propagation: 'NESTED' },
          );
          nested = failureOf(call);
          await entered.sent;
        }),
      );
      expect(await outer).toMatchObject({ code: 'UNEXPECTED_ROLLBACK' });
      goOn.send();
      expect(await nested).toMatchObject({
        code: 'UNEXPECTED_ROLLBACK',
        message: expect.stringContaining('around it had ended before it returned'),
      });
      expect(await labelsIn(db)).toEqual([]);
      await expectCleanPool(work.pool, db);
    },
  );

  test('of a method that joined: part of the transaction until that ends', async () => {
    const joined = signal();
    const over = signal();
    let late: Promise<Error> | undefined;
    await opening.run(async () => {
      let still: Promise<void> | undefined;
      await runInTransaction(async () => {
        still = joined.sent.then(() => work.insert('still inside'));
        late = failureOf(over.sent.then(() => work.insert('late')));
      });
      joined.send();
      await still;
    });
    over.send();
    expect(await late).toMatchObject({ code: 'TRANSACTION_CLOSED' });
    expect(await labelsIn(db)).toEqual(['still inside']);
    await expectCleanPool(work.pool, db);
  });

  test('through a handle that was taken inside, in the context of another transaction: not written there', async () => {
    let handle: Captured | undefined;
    let insertLate: (() => Promise<void>) | undefined;
    await opening.run(async () => {
      handle = await work.capture();
      await handle.insert('in time');
      const over = signal();
      const late = over.sent.then(() => handle!.insert('late'));
      insertLate = () => {
        over.send();
        return late;
      };
    });
    await opening.run(async () => {
      expect(await failureOf(insertLate!())).toMatchObject({ code: 'TRANSACTION_CLOSED' });
      await work.insert('second');
    });
    await handle!.release();
    expect(await labelsIn(db)).toEqual(['in time', 'second']);
    await expectCleanPool(work.pool, db);
  });
});

describe.each(everyWay)('a statement in flight that nobody awaits: $name', ({ way, opening }) => {
  const work = useWork(db, way);

  test('is finished before COMMIT', async () => {
    const gate = await closeGate(db);
    const returned = signal();
    let unawaited: Promise<void> | undefined;
    const called = opening.run(async () => {
      unawaited = work.insert('slow');
      await gate.waiting();
      returned.send();
    });
    await returned.sent;
    await new Promise(setImmediate);
    await gate.open();
    await called;
    await unawaited;
    expect(await labelsIn(db)).toEqual(['slow']);
    await expectCleanPool(work.pool, db);
  });

  test('and those that wait behind it are finished before COMMIT', async () => {
    const gate = await closeGate(db);
    const returned = signal();
    let unawaited: Promise<unknown> | undefined;
    const called = opening.run(async () => {
      const behind = [await work.capture(), await work.capture()];
      const inFlight = work.insert('slow');
      await gate.waiting();
      const waiting = behind.map(async (handle, index) => {
        await handle.insert(`behind ${index}`);
        await handle.release();
      });
      unawaited = Promise.all([inFlight, ...waiting]);
      // A way in may take a moment before it asks for its statement.
      for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
      returned.send();
    });
    await returned.sent;
    await new Promise(setImmediate);
    await gate.open();
    await called;
    await unawaited;
    expect(await labelsIn(db)).toEqual(['slow', 'behind 0', 'behind 1']);
    await expectCleanPool(work.pool, db);
  });

  test('fails: the caller is told that nothing was kept', async () => {
    const gate = await closeGate(db);
    const returned = signal();
    let ignored: Promise<Error> | undefined;
    const called = failureOf(
      opening.run(async () => {
        await work.insert('first');
        ignored = failureOf(work.query(`INSERT INTO entry (id, label) VALUES (1, 'slow duplicate')`));
        await gate.waiting();
        returned.send();
      }),
    );
    await returned.sent;
    await new Promise(setImmediate);
    await gate.open();
    expect(await called).toMatchObject({ code: 'UNEXPECTED_ROLLBACK', cause: { code: '23505' } });
    expect(await ignored).toEqual(withSqlState('23505'));
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });
});

describe.each(everyWay.filter(({ way }) => /connect|createQueryRunner/.test(way.name)))(
  'a connection that is kept beyond its transaction: $name',
  ({ way, opening }) => {
    const work = useWork(db, way);

    test('used outside any transaction: refused', async () => {
      const handle = await opening.run(async () => {
        const taken = await work.capture();
        await taken.insert('in time');
        return taken;
      }, {});
      expect(await failureOf(handle.insert('late'))).toMatchObject({ code: 'TRANSACTION_CLOSED' });
      await handle.release();
      expect(await labelsIn(db)).toEqual(['in time']);
      await expectCleanPool(work.pool, db);
    });

    test('used inside another transaction: refused, and that one is not disturbed', async () => {
      const handle = await opening.run(() => work.capture());
      await opening.run(async () => {
        await work.insert('other');
        expect(await failureOf(handle.insert('late'))).toMatchObject({ code: 'TRANSACTION_CLOSED' });
      });
      await handle.release();
      expect(await labelsIn(db)).toEqual(['other']);
      await expectCleanPool(work.pool, db);
    });

    test('taken in a NESTED method, used by the outer one: part of the outer one', async () => {
      await opening.run(async () => {
        const handle = await runInTransaction(() => work.capture(), { propagation: 'NESTED' });
        await handle.insert('outer');
        await handle.release();
      });
      expect(await labelsIn(db)).toEqual(['outer']);
      await expectCleanPool(work.pool, db);
    });
  },
);
