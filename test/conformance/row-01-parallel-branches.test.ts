import type { Pool } from 'pg';
import { afterCommit, afterRollback, runInTransaction } from 'holdfast';
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
} from './ways-in.js';

const db = useDatabase({ schema: conformanceSchema });
const boom = new Error('the other branch failed');

async function expectNothingKept(pool: Pool): Promise<void> {
  expect(await labelsIn(db)).toEqual([]);
  // Rolled back, not thrown away: the one connection serves again.
  expect(pool.totalCount).toBe(1);
  await expectCleanPool(pool, db);
}

describe.each(everyWay)('a branch rejects beside a slow insert: $name', ({ way, opening }) => {
  const work = useWork(db, way);

  afterEach(() => expectNothingKept(work.pool));

  test('in flight on the server: rolled back with it', async () => {
    const gate = await closeGate(db);
    const reject = signal();
    let slow: Promise<void> | undefined;
    const called = failureOf(
      opening.run(() => {
        slow = work.insert('slow');
        return Promise.all([slow, reject.sent]);
      }),
    );
    await gate.waiting();
    reject.fail(boom);
    await gate.open();
    expect(await called).toBe(boom);
    await slow;
  });

  test('queued behind a statement that is in flight: never sent', async () => {
    const gate = await closeGate(db);
    const reject = signal();
    let queued: Promise<Error> | undefined;
    const called = failureOf(
      opening.run(() => {
        const first = work.insert('slow');
        queued = failureOf(work.insert('queued'));
        return Promise.all([first, queued, reject.sent]);
      }),
    );
    await gate.waiting();
    reject.fail(boom);
    await new Promise(setImmediate);
    await gate.open();
    expect(await called).toBe(boom);
    expect(await queued).toMatchObject({ code: 'TRANSACTION_CLOSED' });
  });

  test('with further steps behind it: refused when their turn comes', async () => {
    const gate = await closeGate(db);
    const reject = signal();
    let steps: Promise<Error> | undefined;
    const called = failureOf(
      opening.run(
        () => {
          steps = failureOf(
            (async () => {
              await work.insert('slow');
              await work.insert('second step');
            })(),
          );
          return Promise.all([steps, reject.sent]);
        },
        { name: 'Orders.place' },
      ),
    );
    await gate.waiting();
    reject.fail(boom);
    await new Promise(setImmediate);
    await gate.open();
    expect(await called).toBe(boom);
    expect(await steps).toMatchObject({
      code: 'TRANSACTION_CLOSED',
      message: expect.stringContaining('"Orders.place"'),
    });
  });

  test('the branch that rejects is itself a statement', async () => {
    const gate = await closeGate(db);
    const called = failureOf(
      opening.run(() => Promise.all([work.insert('slow 1'), work.fail(), work.insert('slow 2')])),
    );
    await gate.waiting();
    await gate.open();
    expect(await called).toEqual(withSqlState('23502'));
  });

  test.each(['REQUIRED', 'NESTED'] as const)('inside a %s method of its own', async (propagation) => {
    const gate = await closeGate(db);
    const reject = signal();
    let inner: Promise<unknown> | undefined;
    const called = failureOf(
      opening.run(() => {
        inner = runInTransaction(
          async () => {
            await work.insert('slow');
            await work.insert('after');
          },
          { propagation },
        ).catch((error: unknown) => error);
        return Promise.all([inner, reject.sent]);
      }),
    );
    await gate.waiting();
    reject.fail(boom);
    await new Promise(setImmediate);
    await gate.open();
    expect(await called).toBe(boom);
    expect(await inner).toMatchObject({ code: 'TRANSACTION_CLOSED' });
  });

  test('as the last statement of a NESTED method: that method is told, and its rollback hook runs', async () => {
    const gate = await closeGate(db);
    const reject = signal();
    const hooks: string[] = [];
    let inner: Promise<Error> | undefined;
    const called = failureOf(
      opening.run(
        () => {
          inner = failureOf(
            runInTransaction(
              async () => {
                afterRollback(() => hooks.push('rolled back'));
                afterCommit(() => hooks.push('committed'));
                await work.insert('slow');
              },
              { propagation: 'NESTED', name: 'Stock.take' },
            ),
          );
          return Promise.all([inner, reject.sent]);
        },
        { name: 'Orders.place' },
      ),
    );
    await gate.waiting();
    reject.fail(boom);
    await new Promise(setImmediate);
    await gate.open();
    expect(await called).toBe(boom);
    expect(await inner).toMatchObject({
      code: 'UNEXPECTED_ROLLBACK',
      message: expect.stringMatching(/"Stock.take".*"Orders.place"/),
    });
    expect(hooks).toEqual(['rolled back']);
  });

  test('three NESTED methods at once, each in mid-flight or waiting', async () => {
    const gate = await closeGate(db);
    const reject = signal();
    const nested = (label: string): Promise<unknown> =>
      runInTransaction(() => work.insert(label), { propagation: 'NESTED' });
    let inner: Promise<PromiseSettledResult<unknown>[]> | undefined;
    const called = failureOf(
      opening.run(() => {
        inner = Promise.allSettled(['slow 1', 'slow 2', 'slow 3'].map(nested));
        return Promise.all([inner, reject.sent]);
      }),
    );
    await gate.waiting();
    reject.fail(boom);
    await new Promise(setImmediate);
    await gate.open();
    expect(await called).toBe(boom);
    expect((await inner)?.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  });

  test('through a handle that was taken before the branches began', async () => {
    const gate = await closeGate(db);
    const reject = signal();
    let steps: Promise<Error> | undefined;
    const called = failureOf(
      opening.run(async () => {
        const handle = await work.capture();
        steps = failureOf(
          handle
            .insert('slow')
            .then(() => handle.insert('second step'))
            .finally(() => handle.release()),
        );
        await Promise.all([steps, reject.sent]);
      }),
    );
    await gate.waiting();
    reject.fail(boom);
    await new Promise(setImmediate);
    await gate.open();
    expect(await called).toBe(boom);
    expect(await steps).toMatchObject({ code: 'TRANSACTION_CLOSED' });
  });
});

describe.each(everyWay)('a branch rejects beside one that waits for a connection: $name', (cell) => {
  const work = useWork(db, cell.way, { max: 1 });

  test('the caller is told at once; the connection that comes later goes back unused', async () => {
    const other = await work.pool.connect();
    const reject = signal();
    let waiting: Promise<Error> | undefined;
    const called = failureOf(
      cell.opening.run(() => {
        waiting = failureOf(work.insert('never'));
        return Promise.all([waiting, reject.sent]);
      }),
    );
    await new Promise(setImmediate);
    expect(work.pool.waitingCount).toBe(1);
    reject.fail(boom);
    expect(await called).toBe(boom);
    other.release();
    expect(await waiting).toMatchObject({ code: 'TRANSACTION_CLOSED' });
    await expectNothingKept(work.pool);
  });
});
