import {
  afterCommit,
  afterCompletion,
  afterRollback,
  beforeCommit,
  CommitOutcomeUnknownError,
  runInTransaction,
} from 'holdfast';
import { useEntries } from './entries.js';

const entries = useEntries();
const nothing = (): void => undefined;
const fail = (): never => {
  throw new Error('no');
};

let events: string[];
beforeEach(() => (events = []));

/** Registers one hook of each kind for the scope around the call. */
function registerAll(tag: string): void {
  beforeCommit(() => void events.push(`${tag} before`));
  afterCommit(() => void events.push(`${tag} commit`));
  afterRollback(() => void events.push(`${tag} rollback`));
  afterCompletion((completion) => void events.push(`${tag} ${completion}`));
}

test('a transaction that an inner one of unknown outcome fails is rolled back itself, and is told so', async () => {
  const unknown = new CommitOutcomeUnknownError('lost', { cause: undefined, transactionId: undefined });
  let runs = 0;
  const call = runInTransaction(
    async () => {
      runs++;
      registerAll('outer');
      await entries.add('outer');
      throw unknown;
    },
    { retry: { backoffMs: 1, on: () => true } },
  );
  await expect(call).rejects.toBe(unknown);
  expect(events).toEqual(['outer rollback', 'outer rolled back']);
  expect(await entries.committed()).toEqual([]);
  // The inner one may be committed, and must not be done twice.
  expect(runs).toBe(1);
});

describe('NESTED', () => {
  const nested = { propagation: 'NESTED' } as const;

  test('hooks of a scope that is kept wait for the outermost COMMIT', async () => {
    await runInTransaction(async () => {
      registerAll('outer');
      await runInTransaction(async () => registerAll('inner'), nested);
      events.push('inner returned');
    });
    expect(events).toEqual([
      'inner returned',
      'outer before',
      'inner before',
      'outer commit',
      'outer committed',
      'inner commit',
      'inner committed',
    ]);
  });

  test('hooks of a scope that is rolled back end there: its commit hooks are dropped', async () => {
    await runInTransaction(async () => {
      registerAll('outer');
      const call = runInTransaction(async () => {
        await entries.add('x');
        registerAll('inner');
        fail();
      }, nested);
      await call.catch(() => events.push('inner rejected'));
    });
    expect(events).toEqual([
      'inner rollback',
      'inner rolled back',
      'inner rejected',
      'outer before',
      'outer commit',
      'outer committed',
    ]);
  });

  test('hooks of a kept scope follow the transaction when that is rolled back afterwards', async () => {
    const call = runInTransaction(async () => {
      registerAll('outer');
      await runInTransaction(async () => registerAll('inner'), nested);
      fail();
    });
    await expect(call).rejects.toThrow('no');
    expect(events).toEqual(['outer rollback', 'outer rolled back', 'inner rollback', 'inner rolled back']);
  });

  test('hooks of a scope inside a scope that is rolled back are dropped with it', async () => {
    await runInTransaction(async () => {
      const call = runInTransaction(async () => {
        await runInTransaction(async () => {
          await entries.add('x');
          registerAll('innermost');
        }, nested);
        fail();
      }, nested);
      await call.catch(nothing);
    });
    expect(events).toEqual(['innermost rollback', 'innermost rolled back']);
  });

  test('a rollback hook of a nested scope runs in the transaction around it', async () => {
    await runInTransaction(async () => {
      await runInTransaction(async () => {
        await entries.add('undone');
        afterRollback(() => entries.add('said so'));
        fail();
      }, nested).catch(nothing);
      expect(await entries.committed()).toEqual([]);
    });
    expect(await entries.committed()).toEqual(['said so']);
  });
});

describe('REQUIRES_NEW', () => {
  const requiresNew = { propagation: 'REQUIRES_NEW' } as const;

  test('its hooks run at its own COMMIT, before it returns to the outer transaction', async () => {
    await runInTransaction(async () => {
      registerAll('outer');
      await runInTransaction(async () => registerAll('inner'), requiresNew);
      events.push('inner returned');
    });
    expect(events).toEqual([
      'inner before',
      'inner commit',
      'inner committed',
      'inner returned',
      'outer before',
      'outer commit',
      'outer committed',
    ]);
  });

  test('its hooks are not undone by a rollback of the outer transaction', async () => {
    const call = runInTransaction(async () => {
      await runInTransaction(async () => registerAll('inner'), requiresNew);
      registerAll('outer');
      fail();
    });
    await expect(call).rejects.toThrow('no');
    expect(events).toEqual([
      'inner before',
      'inner commit',
      'inner committed',
      'outer rollback',
      'outer rolled back',
    ]);
  });

  test('its after-commit hooks stand in the outer transaction', async () => {
    const call = runInTransaction(async () => {
      await runInTransaction(async () => {
        await entries.add('inner');
        afterCommit(() => entries.add('hook'));
        afterCommit(() => afterCommit(() => void events.push('of the outer one')));
      }, requiresNew);
      expect(await entries.committed()).toEqual(['inner']);
      fail();
    });
    await expect(call).rejects.toThrow('no');
    expect(await entries.committed()).toEqual(['inner']);
    expect(events).toEqual([]);
  });
});

describe('NOT_SUPPORTED', () => {
  test('a hook registered inside runs at once: there is no transaction to wait for', async () => {
    await runInTransaction(async () => {
      await runInTransaction(async () => registerAll('inner'), { propagation: 'NOT_SUPPORTED' });
      events.push('inner returned');
    });
    expect(events).toEqual(['inner before', 'inner commit', 'inner committed', 'inner returned']);
  });
});

describe('an attempt that is retried', () => {
  test('the after-commit hooks of the failed attempt are dropped', async () => {
    let attempt = 0;
    await runInTransaction(
      async () => {
        attempt += 1;
        const own = attempt;
        afterCommit(() => void events.push(`committed ${own}`));
        if (own < 3) fail();
      },
      { retry: { attempts: 3, backoffMs: 1, on: () => true } },
    );
    expect(events).toEqual(['committed 3']);
  });
});
