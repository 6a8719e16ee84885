import {
  afterCommit,
  afterCompletion,
  afterRollback,
  beforeCommit,
  currentTransaction,
  runInTransaction,
} from 'holdfast';
import { gate, useEntries } from './entries.js';
import { useLog } from './log.js';

const entries = useEntries();
const log = useLog();
const nothing = (): void => undefined;

/** Registers one hook of each kind, which write `<moment> <tag>` into `events`. */
function registerAll(events: string[], tag = ''): void {
  const note = (moment: string) => (completion?: unknown) =>
    void events.push([moment, tag, moment === 'completion' && completion].filter(Boolean).join(' '));
  beforeCommit(note('before'));
  afterCommit(note('commit'));
  afterRollback(note('rollback'));
  afterCompletion(note('completion'));
}

test('a committed transaction runs its before-commit, after-commit and completion hooks', async () => {
  const events: string[] = [];
  await runInTransaction(async () => registerAll(events));
  expect(events).toEqual(['before', 'commit', 'completion committed']);
});

test('a rolled back transaction runs its rollback and completion hooks', async () => {
  const events: string[] = [];
  const call = runInTransaction(async () => {
    registerAll(events);
    throw new Error('no');
  });
  await expect(call).rejects.toThrow('no');
  expect(events).toEqual(['rollback', 'completion rolled back']);
});

test('hooks run in the order of their registration, those of joined methods among them', async () => {
  const events: string[] = [];
  await runInTransaction(async () => {
    afterCommit(() => events.push('1'));
    await runInTransaction(async () => afterCompletion(() => events.push('2')));
    afterCommit(() => events.push('3'));
  });
  expect(events).toEqual(['1', '2', '3']);
});

test.each([
  ['beforeCommit', beforeCommit],
  ['afterCommit', afterCommit],
  ['afterCompletion', afterCompletion],
])(
  'an asynchronous %s hook is awaited before the next one and before the call resolves',
  async (_, register) => {
    const events: string[] = [];
    const held = gate();
    const call = runInTransaction(async () => {
      register(async () => {
        events.push('first begins');
        await held.opened;
        events.push('first ends');
      });
      register(() => void events.push('second'));
    }).then(() => events.push('resolved'));
    setImmediate(held.open);
    await call;
    expect(events).toEqual(['first begins', 'first ends', 'second', 'resolved']);
  },
);

test('an asynchronous afterRollback hook is awaited before the call rejects', async () => {
  const events: string[] = [];
  const held = gate();
  const call = runInTransaction(async () => {
    afterRollback(async () => {
      await held.opened;
      events.push('hook');
    });
    throw new Error('no');
  }).catch(() => events.push('rejected'));
  setImmediate(held.open);
  await call;
  expect(events).toEqual(['hook', 'rejected']);
});

test('before-commit hooks run inside the transaction, after-commit hooks outside, when it is committed', async () => {
  const seen: unknown[] = [];
  await runInTransaction(async () => {
    await entries.add('method');
    beforeCommit(async () => {
      await entries.add('before commit');
      seen.push(await entries.committed());
    });
    afterCommit(async () => {
      seen.push(await entries.committed());
      await entries.add('after commit');
    });
  });
  expect(seen).toEqual([[], ['method', 'before commit']]);
  expect(await entries.committed()).toEqual(['method', 'before commit', 'after commit']);
});

test('when an after-commit hook runs, the connection is back in the pool', async () => {
  await runInTransaction(async () => {
    await entries.add('a');
    afterCommit(() => expect(entries.managed.counts()).toMatchObject({ inUse: 0, idle: 1 }));
  });
  expect(log.errors).toEqual([]);
});

test('a transaction without a statement runs its hooks as well', async () => {
  const events: string[] = [];
  await runInTransaction(async () => registerAll(events));
  expect(events).toContain('commit');
  expect(entries.pool.totalCount).toBe(0);
});

describe('a before-commit hook that fails', () => {
  const failure = new Error('the outbox is full');

  test('rolls back, its error is the call’s, and rollback hooks run', async () => {
    const events: string[] = [];
    const call = runInTransaction(async () => {
      await entries.add('a');
      beforeCommit(async () => {
        throw failure;
      });
      registerAll(events);
    });
    await expect(call).rejects.toBe(failure);
    expect(events).toEqual(['rollback', 'completion rolled back']);
    expect(await entries.committed()).toEqual([]);
    expect(entries.managed.counts()).toMatchObject({ inUse: 0 });
  });

  test('keeps the before-commit hooks after it from running', async () => {
    const later = jest.fn();
    const call = runInTransaction(async () => {
      beforeCommit(() => {
        throw failure;
      });
      beforeCommit(later);
    });
    await expect(call).rejects.toBe(failure);
    expect(later).not.toHaveBeenCalled();
  });
});

describe('before-commit hooks where nothing can be committed any more', () => {
  test('do not run after setRollbackOnly', async () => {
    const hook = jest.fn();
    await runInTransaction(async () => {
      beforeCommit(hook);
      currentTransaction()!.setRollbackOnly();
    });
    expect(hook).not.toHaveBeenCalled();
  });

  test('do not run after a swallowed failure of a statement: the caller is told of that one', async () => {
    const hook = jest.fn(() => entries.add('outbox'));
    const call = runInTransaction(async () => {
      beforeCommit(hook);
      await entries.pool.query('SELECT 1/0').catch(nothing);
    });
    await expect(call).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK', cause: { code: '22012' } });
    expect(hook).not.toHaveBeenCalled();
  });
});

describe('a hook after the end that fails', () => {
  const failure = new Error('the mail server is down');
  const fail = (): never => {
    throw failure;
  };

  test.each([
    ['afterCommit', afterCommit, 'after commit'],
    ['afterCompletion', afterCompletion, 'after completion'],
  ] as const)('%s: the call resolves, the other hooks run, and it is logged', async (_, register, moment) => {
    const events: string[] = [];
    const call = runInTransaction(
      async () => {
        await entries.add('a');
        register(fail);
        register(async () => fail());
        register(() => void events.push('other'));
        return 'value';
      },
      { name: 'Orders.place' },
    );
    await expect(call).resolves.toBe('value');
    expect(events).toEqual(['other']);
    expect(await entries.committed()).toEqual(['a']);
    const error = { name: 'Error', message: failure.message, stack: failure.stack };
    expect(log.errors).toEqual([
      [{ error, moment, transaction: 'Orders.place' }, expect.stringMatching(/"Orders\.place" failed/)],
      [{ error, moment, transaction: 'Orders.place' }, expect.any(String)],
    ]);
  });

  test('afterRollback: the call rejects with its own error, and it is logged', async () => {
    const own = new Error('the method failed');
    const call = runInTransaction(async () => {
      afterRollback(fail);
      throw own;
    });
    await expect(call).rejects.toBe(own);
    expect(log.errors).toHaveLength(1);
  });
});

describe('outside a transaction', () => {
  test('beforeCommit, afterCommit and afterCompletion run at once, afterRollback never', () => {
    const events: string[] = [];
    registerAll(events);
    expect(events).toEqual(['before', 'commit', 'completion committed']);
  });

  test('a hook that fails is logged and does not end the process', async () => {
    afterCommit(async () => {
      throw new Error('later');
    });
    afterCommit(() => {
      throw new Error('at once');
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(log.errors).toHaveLength(2);
  });
});

test.each([
  ['beforeCommit', beforeCommit],
  ['afterCommit', afterCommit],
  ['afterRollback', afterRollback],
  ['afterCompletion', afterCompletion],
])('%s in a transaction that has ended is refused, with the place that opened it', async (_, register) => {
  const ended = gate();
  let late!: Promise<void>;
  await runInTransaction(
    async () => {
      late = ended.opened.then(() => register(nothing));
    },
    { name: 'Orders.place' },
  );
  ended.open();
  await expect(late).rejects.toMatchObject({
    code: 'TRANSACTION_CLOSED',
    message: expect.stringContaining('"Orders.place"'),
    cause: { stack: expect.stringContaining('hooks.test.ts') },
  });
});

test.each([
  ['beforeCommit', beforeCommit],
  ['afterCommit', afterCommit],
  ['afterRollback', afterRollback],
  ['afterCompletion', afterCompletion],
])('%s refuses what is no function', (_, register) => {
  expect(() => register('soon' as unknown as () => void)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS' }),
  );
});
