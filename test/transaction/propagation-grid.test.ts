import { currentTransaction, type Propagation, runInTransaction } from 'holdfast';
import { gate, useEntries } from './entries.js';

const entries = useEntries();

/** Where a call with a propagation mode stands. */
type Context = 'no transaction' | 'active' | 'closed' | 'suspended by NOT_SUPPORTED' | 'inside NESTED';

/**
 * What the call does there: `own` runs in a transaction of its own, `same` in the surrounding one, `savepoint` in
 * a savepoint of it, `none` in no transaction at all; anything else is the code of the error it rejects with.
 */
type Effect = 'own' | 'same' | 'savepoint' | 'none' | 'PROPAGATION' | 'TRANSACTION_CLOSED';

const contexts: readonly Context[] = [
  'no transaction',
  'active',
  'closed',
  'suspended by NOT_SUPPORTED',
  'inside NESTED',
];
const grid: Readonly<Record<Propagation, readonly [Effect, Effect, Effect, Effect, Effect]>> = {
  //             no transaction  active         closed                suspended      inside NESTED
  REQUIRED: ['own', 'same', 'TRANSACTION_CLOSED', 'own', 'same'],
  REQUIRES_NEW: ['own', 'own', 'own', 'own', 'own'],
  NESTED: ['own', 'savepoint', 'TRANSACTION_CLOSED', 'own', 'savepoint'],
  MANDATORY: ['PROPAGATION', 'same', 'TRANSACTION_CLOSED', 'PROPAGATION', 'same'],
  SUPPORTS: ['none', 'same', 'TRANSACTION_CLOSED', 'none', 'same'],
  NOT_SUPPORTED: ['none', 'none', 'none', 'none', 'none'],
  NEVER: ['none', 'PROPAGATION', 'none', 'none', 'PROPAGATION'],
};

interface Place {
  readonly depth: number;
  readonly id: string;
}

/** Calls `work` in a context, with the place around it where that is a running transaction. */
const enter: Readonly<Record<Context, <T>(work: (around?: Place) => Promise<T>) => Promise<T>>> = {
  'no transaction': (work) => work(),
  active: (work) => runInTransaction(async () => work(await here())),
  async closed(work) {
    const ended = gate();
    let late!: ReturnType<typeof work>;
    await runInTransaction(async () => {
      late = ended.opened.then(() => work());
    });
    ended.open();
    return late;
  },
  'suspended by NOT_SUPPORTED': (work) =>
    runInTransaction(() => runInTransaction(() => work(), { propagation: 'NOT_SUPPORTED' })),
  'inside NESTED': (work) =>
    runInTransaction(() => runInTransaction(async () => work(await here()), { propagation: 'NESTED' })),
};

async function here(): Promise<Place> {
  return { id: await entries.transactionId(), depth: currentTransaction()!.depth };
}

async function effectOf(propagation: Propagation, around: Place | undefined): Promise<string> {
  try {
    return await runInTransaction(
      async () => {
        await entries.add(propagation);
        const current = currentTransaction();
        if (!current) return 'none';
        const id = await entries.transactionId();
        if (id !== around?.id) return current.depth === 1 ? 'own' : `own at depth ${current.depth}`;
        return current.depth === around.depth ? 'same' : 'savepoint';
      },
      { propagation, name: 'Callee.run' },
    );
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe.each(contexts.map((context, column) => ({ context, column })))('$context', ({ context, column }) => {
  test.each(Object.entries(grid).map(([mode, row]) => ({ mode: mode as Propagation, effect: row[column]! })))(
    '$mode: $effect',
    async ({ mode, effect }) => {
      expect(await enter[context]((around) => effectOf(mode, around))).toBe(effect);

      const isRefused = effect === 'PROPAGATION' || effect === 'TRANSACTION_CLOSED';
      expect(await entries.committed()).toEqual(isRefused ? [] : [mode]);
    },
  );
});

describe.each(contexts.map((context, column) => ({ context, column })))(
  '$context, and the caller fails afterwards',
  ({ context, column }) => {
    test.each(
      Object.entries(grid).map(([mode, row]) => ({ mode: mode as Propagation, effect: row[column]! })),
    )(
      '$mode: what ran in the surrounding transaction is gone, what did not is kept',
      async ({ mode, effect }) => {
        const failure = new Error('the caller failed');
        const call = enter[context](async (around) => {
          await effectOf(mode, around);
          throw failure;
        });

        await expect(call).rejects.toBe(failure);
        const isKept = effect === 'own' || effect === 'none';
        expect(await entries.committed()).toEqual(isKept ? [mode] : []);
      },
    );
  },
);

test('MANDATORY outside a transaction names the method, the data source and the next step', async () => {
  await expect(
    runInTransaction(() => entries.add('x'), { propagation: 'MANDATORY', name: 'Stock.take' }),
  ).rejects.toMatchObject({
    name: 'PropagationError',
    message: expect.stringMatching(
      /"Stock\.take" has propagation MANDATORY .* data source "default".*REQUIRED/,
    ),
    retryable: false,
  });
});

test('NEVER inside a transaction names both methods and the next step', async () => {
  await runInTransaction(
    async () => {
      await expect(
        runInTransaction(() => entries.add('x'), { propagation: 'NEVER', name: 'Mail.send' }),
      ).rejects.toMatchObject({
        name: 'PropagationError',
        message: expect.stringMatching(
          /"Mail\.send" has propagation NEVER .*"Orders\.place".*runOutsideTransaction/,
        ),
      });
    },
    { name: 'Orders.place' },
  );
});

test('REQUIRES_NEW does not see what the surrounding transaction has not committed, and waits on its own connection', async () => {
  await runInTransaction(async () => {
    await entries.add('outer');
    const { rows } = await runInTransaction(() => entries.pool.query('SELECT label FROM entry'), {
      propagation: 'REQUIRES_NEW',
    });
    expect(rows).toEqual([]);
    expect(entries.managed.counts()).toMatchObject({ inUse: 1, total: 2 });
  });
});
