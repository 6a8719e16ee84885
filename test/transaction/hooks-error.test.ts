import {
  afterCommit,
  afterCompletion,
  afterRollback,
  currentTransaction,
  runInTransaction,
  Transactional,
  UnexpectedRollbackError,
} from 'holdfast';
import { useEntries } from './entries.js';
import { useLog } from './log.js';

const entries = useEntries();
useLog();

/** Registers one hook of each kind and answers the arguments of each call of them. */
function listen(): Record<'commit' | 'rollback' | 'completion', unknown[][]> {
  const heard: ReturnType<typeof listen> = { commit: [], rollback: [], completion: [] };
  afterCommit(() => heard.commit.push([]));
  afterRollback((...args: unknown[]) => heard.rollback.push(args));
  afterCompletion((...args: unknown[]) => heard.completion.push(args));
  return heard;
}

let heard: ReturnType<typeof listen>;

test('a commit tells its hooks of no error', async () => {
  await runInTransaction(async () => void (heard = listen()));

  expect(heard).toEqual({ commit: [[]], rollback: [], completion: [['committed']] });
});

test('a commit that lets an error through (commitOn) tells its hooks of no error', async () => {
  const call = runInTransaction(
    async () => {
      heard = listen();
      throw new RangeError('kept');
    },
    { commitOn: RangeError },
  );

  await expect(call).rejects.toThrow('kept');
  expect(heard).toEqual({ commit: [[]], rollback: [], completion: [['committed']] });
});

test('a rollback tells its hooks what the call rejects with', async () => {
  const reason = new Error('no stock');
  const call = runInTransaction(async () => {
    heard = listen();
    throw reason;
  });

  await expect(call).rejects.toBe(reason);
  expect(heard).toEqual({ commit: [], rollback: [[reason]], completion: [['rolled back', reason]] });
});

test('a commit that the server refuses tells its hooks what the call rejects with', async () => {
  const call = runInTransaction(async () => {
    heard = listen();
    await entries.pool.query('SELECT 1 / 0').catch(() => undefined);
  });

  const error: unknown = await call.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UnexpectedRollbackError);
  expect(heard).toEqual({ commit: [], rollback: [[error]], completion: [['rolled back', error]] });
});

test('a nested scope tells its own hooks of its own error', async () => {
  const reason = new Error('inner');
  await runInTransaction(async () => {
    const nested = runInTransaction(
      async () => {
        heard = listen();
        throw reason;
      },
      { propagation: 'NESTED' },
    );
    await nested.catch(() => undefined);
  });

  expect(heard).toEqual({ commit: [], rollback: [[reason]], completion: [['rolled back', reason]] });
});

test('a hook of a nested scope that was kept gets the error of the transaction around it', async () => {
  const reason = new Error('outer');
  const call = runInTransaction(async () => {
    await runInTransaction(async () => void (heard = listen()), { propagation: 'NESTED' });
    throw reason;
  });

  await expect(call).rejects.toBe(reason);
  expect(heard).toEqual({ commit: [], rollback: [[reason]], completion: [['rolled back', reason]] });
});

describe('a synchronous method of a transactional class', () => {
  @Transactional({ propagation: 'NESTED' })
  class Basket {
    constructor(private readonly reason: Error) {}

    empty(ended: () => void): void {
      heard = listen();
      afterCompletion(ended);
      throw this.reason;
    }
  }

  test.each([
    ['outside a transaction', (work: () => Promise<void>) => work()],
    ['inside one, as a nested scope', (work: () => Promise<void>) => runInTransaction(work)],
  ])('tells its hooks what it throws, %s', async (_, around) => {
    const reason = new Error('nothing to empty');
    let ended!: Promise<void>;
    await around(async () => {
      ended = new Promise((resolve) => {
        expect(() => new Basket(reason).empty(resolve)).toThrow(reason);
      });
    });
    await ended;

    expect(heard).toEqual({ commit: [], rollback: [[reason]], completion: [['rolled back', reason]] });
  });
});

test('a rollback that the method asked for itself has no error to tell of', async () => {
  await runInTransaction(async () => {
    heard = listen();
    currentTransaction()!.setRollbackOnly();
  });

  expect(heard).toEqual({ commit: [], rollback: [[undefined]], completion: [['rolled back', undefined]] });
});
