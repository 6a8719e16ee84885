import {
  afterCommit,
  beforeCommit,
  type Propagation,
  runInTransaction,
  runOutsideTransaction,
  Transactional,
} from 'holdfast';
import { until, useEntries } from './entries.js';
import { useLog } from './log.js';

const entries = useEntries();
const log = useLog();
const invalid = new Error('invalid');
const throws = (): never => {
  throw invalid;
};
const rejects = async (): Promise<void> => {
  await entries.pool.query('SELECT 1');
  throw invalid;
};
/** The one that is logged where there is no transaction and nobody else to tell. */
const onceLogged = [
  [
    expect.objectContaining({ moment: 'before commit' }),
    'holdfast: a hook (before commit) failed that ran at once, outside a transaction',
  ],
];

const without: Propagation[] = ['SUPPORTS', 'NOT_SUPPORTED', 'NEVER'];

describe.each(without)('beforeCommit in a %s call that runs without a transaction', (propagation) => {
  test('throws what its hook throws, and the method goes no further', async () => {
    const call = runInTransaction(
      async () => {
        beforeCommit(throws);
        await entries.add('a');
      },
      { propagation },
    );
    await expect(call).rejects.toBe(invalid);
    expect(await entries.committed()).toEqual([]);
    expect(log.errors).toEqual([]);
  });

  test('lets the call reject with what its hook rejects with', async () => {
    const call = runInTransaction(async () => beforeCommit(rejects), { propagation });
    await expect(call).rejects.toBe(invalid);
    expect(log.errors).toEqual([]);
  });

  test('lets the call wait for its hook', async () => {
    await runInTransaction(async () => beforeCommit(() => entries.add('hook')), { propagation });
    expect(await entries.committed()).toEqual(['hook']);
  });

  test('leaves the error of the method in front, and logs that of the hook', async () => {
    const own = new Error('own');
    const call = runInTransaction(
      async () => {
        beforeCommit(rejects);
        throw own;
      },
      { propagation },
    );
    await expect(call).rejects.toBe(own);
    await until(async () => log.errors.length > 0);
    expect(log.errors).toEqual(onceLogged);
  });
});

test('NOT_SUPPORTED inside a transaction tells its own caller, and the transaction goes on', async () => {
  await runInTransaction(async () => {
    await entries.add('outer');
    const call = runInTransaction(async () => beforeCommit(rejects), { propagation: 'NOT_SUPPORTED' });
    await expect(call).rejects.toBe(invalid);
  });
  expect(await entries.committed()).toEqual(['outer']);
});

test('outside any transactional call it throws what its hook throws', () => {
  expect(() => beforeCommit(throws)).toThrow(invalid);
});

test.each([
  ['outside any transactional call', async () => beforeCommit(rejects)],
  [
    'in work that was moved outside the call',
    () =>
      runInTransaction(async () => runOutsideTransaction(() => beforeCommit(rejects)), {
        propagation: 'SUPPORTS',
      }),
  ],
  ['in an after hook', () => runInTransaction(async () => afterCommit(() => beforeCommit(rejects)))],
  [
    'in an after hook of a transaction inside such a call',
    () =>
      runInTransaction(() => runInTransaction(async () => afterCommit(() => beforeCommit(rejects))), {
        propagation: 'SUPPORTS',
      }),
  ],
])('%s what its hook rejects with is logged, and no committed transaction is spoken of', async (_, work) => {
  await work();
  await until(async () => log.errors.length > 0);
  expect(log.errors).toEqual(onceLogged);
});

test('in a synchronous method, for which nobody waits, it is logged', async () => {
  @Transactional({ propagation: 'SUPPORTS' })
  class Helper {
    help(): string {
      beforeCommit(rejects);
      return 'helped';
    }
  }
  expect(new Helper().help()).toBe('helped');
  await until(async () => log.errors.length > 0);
  expect(log.errors).toEqual(onceLogged);
});

test('an after hook that fails outside a transaction is logged in the same words', () => {
  afterCommit(throws);
  return until(async () => log.errors.length > 0).then(() => {
    expect(log.errors).toEqual([
      [expect.objectContaining({ moment: 'after commit' }), expect.stringMatching(/outside a transaction$/)],
    ]);
  });
});
