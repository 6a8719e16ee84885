import { Readable } from 'node:stream';
import {
  HoldfastError,
  runInTransaction,
  Transactional,
  type TransactionOptions,
  UnsupportedReturnError,
} from 'holdfast';
import { useEntries } from './entries.js';

const entries = useEntries();

const rules: readonly (readonly [string, TransactionOptions])[] = [
  ['rollbackOn another error', { rollbackOn: RangeError }],
  ['rollbackOn nothing', { rollbackOn: [] }],
  ['commitOn Error', { commitOn: Error }],
  ['commitOn a predicate', { commitOn: () => true }],
];
const inner = (work: () => Promise<unknown>, options: TransactionOptions = {}): Promise<unknown> =>
  runInTransaction(work, { ...options, name: 'inner' });
/** Each makes holdfast refuse something, and lets its error through. */
const refusals: readonly (readonly [code: string, work: () => Promise<unknown>])[] = [
  ['UNSUPPORTED_RETURN', async () => Readable.from([1])],
  ['TRANSACTION_CONTROL', () => entries.pool.query('COMMIT')],
  ['PROPAGATION', () => inner(async () => undefined, { propagation: 'NEVER' })],
  ['ISOLATION_MISMATCH', () => inner(async () => undefined, { isolationLevel: 'SERIALIZABLE' })],
  ['UNKNOWN_DATA_SOURCE', () => inner(async () => undefined, { dataSource: 'none' })],
  [
    'UNEXPECTED_ROLLBACK',
    () =>
      inner(async () => void (await entries.pool.query('SELECT 1/0').catch(() => undefined)), {
        propagation: 'NESTED',
      }),
  ],
  [
    'TRANSACTION_CLOSED',
    async () => {
      let late: Promise<unknown> = Promise.resolve();
      await inner(
        async () => {
          late = new Promise(setImmediate).then(() => entries.add('late'));
        },
        { propagation: 'NESTED' },
      );
      await late;
    },
  ],
];

describe.each(rules)('an error of holdfast rolls back, with %s:', (_, options) => {
  test.each(refusals)('%s', async (code, refused) => {
    const call = runInTransaction(async () => {
      await entries.add('x');
      return refused();
    }, options);
    await expect(call).rejects.toMatchObject({ code });
    expect(await entries.committed()).toEqual([]);
  });

  test.each(refusals)('%s in a nested scope, caught outside', async (code, refused) => {
    await runInTransaction(async () => {
      const call = runInTransaction(
        async () => {
          await entries.add('x');
          return refused();
        },
        { ...options, propagation: 'NESTED' },
      );
      await expect(call).rejects.toMatchObject({ code });
      await entries.add('outer');
    });
    expect(await entries.committed()).toEqual(['outer']);
  });

  test.each(refusals)('%s in a joined method, caught outside', async (code, refused) => {
    const call = runInTransaction(async () => {
      await entries.add('x');
      await expect(runInTransaction(refused, options)).rejects.toMatchObject({ code });
    });
    await expect(call).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK', cause: { code } });
    expect(await entries.committed()).toEqual([]);
  });
});

test('a stream that a synchronous method of a decorated class returns marks the transaction around it', async () => {
  @Transactional()
  class Feed {
    rows(): Readable {
      return Readable.from([1]);
    }
  }
  const call = runInTransaction(async () => {
    await entries.add('x');
    expect(() => new Feed().rows()).toThrow(UnsupportedReturnError);
  });
  await expect(call).rejects.toMatchObject({
    code: 'UNEXPECTED_ROLLBACK',
    cause: { code: 'UNSUPPORTED_RETURN' },
  });
  expect(await entries.committed()).toEqual([]);
});

test('one that an application derives from HoldfastError rolls back as well', async () => {
  class OutOfStock extends HoldfastError {
    readonly code = 'OUT_OF_STOCK';
  }
  const failure = new OutOfStock('no');
  const call = runInTransaction(
    async () => {
      await entries.add('x');
      throw failure;
    },
    { commitOn: Error },
  );
  await expect(call).rejects.toBe(failure);
  expect(await entries.committed()).toEqual([]);
});
