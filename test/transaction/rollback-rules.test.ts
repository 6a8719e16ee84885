import { runInNewContext } from 'node:vm';
import { currentTransaction, runInTransaction, transactional, type TransactionOptions } from 'holdfast';
import { useEntries } from './entries.js';
import { useLog } from './log.js';

const entries = useEntries();
const log = useLog();

class InvalidOrder extends Error {}
class UnknownOrder extends InvalidOrder {}
class Bug extends Error {}
const isInvalid = (error: unknown): boolean => error instanceof InvalidOrder;

type Outcome = 'rolled back' | 'committed';
type Rules = Pick<TransactionOptions, 'rollbackOn' | 'commitOn'>;

const grid: readonly {
  rules: string;
  options: Rules;
  InvalidOrder: Outcome;
  UnknownOrder: Outcome;
  Bug: Outcome;
}[] = [
  {
    rules: 'no rules',
    options: {},
    InvalidOrder: 'rolled back',
    UnknownOrder: 'rolled back',
    Bug: 'rolled back',
  },
  {
    rules: 'rollbackOn a class',
    options: { rollbackOn: Bug },
    InvalidOrder: 'committed',
    UnknownOrder: 'committed',
    Bug: 'rolled back',
  },
  {
    rules: 'rollbackOn Error itself',
    options: { rollbackOn: Error },
    InvalidOrder: 'rolled back',
    UnknownOrder: 'rolled back',
    Bug: 'rolled back',
  },
  {
    rules: 'rollbackOn a predicate',
    options: { rollbackOn: isInvalid },
    InvalidOrder: 'rolled back',
    UnknownOrder: 'rolled back',
    Bug: 'committed',
  },
  {
    rules: 'rollbackOn an array of both kinds',
    options: { rollbackOn: [Bug, (error) => error instanceof UnknownOrder] },
    InvalidOrder: 'committed',
    UnknownOrder: 'rolled back',
    Bug: 'rolled back',
  },
  {
    rules: 'rollbackOn nothing',
    options: { rollbackOn: [] },
    InvalidOrder: 'committed',
    UnknownOrder: 'committed',
    Bug: 'committed',
  },
  {
    rules: 'commitOn a class',
    options: { commitOn: InvalidOrder },
    InvalidOrder: 'committed',
    UnknownOrder: 'committed',
    Bug: 'rolled back',
  },
  {
    rules: 'commitOn a predicate',
    options: { commitOn: isInvalid },
    InvalidOrder: 'committed',
    UnknownOrder: 'committed',
    Bug: 'rolled back',
  },
  {
    rules: 'commitOn an array',
    options: { commitOn: [UnknownOrder, (error) => error instanceof Bug] },
    InvalidOrder: 'rolled back',
    UnknownOrder: 'committed',
    Bug: 'committed',
  },
  {
    rules: 'both, of which commitOn is the stronger',
    options: { rollbackOn: InvalidOrder, commitOn: UnknownOrder },
    InvalidOrder: 'rolled back',
    UnknownOrder: 'committed',
    Bug: 'committed',
  },
];
const errors = { InvalidOrder, UnknownOrder, Bug };

describe.each(grid)('$rules', ({ options, ...outcomes }) => {
  test.each(
    (['InvalidOrder', 'UnknownOrder', 'Bug'] as const).map((kind) => ({ kind, outcome: outcomes[kind] })),
  )('$kind: $outcome, and the caller gets the error itself', async ({ kind, outcome }) => {
    const failure = new errors[kind]('no');
    const work = async (): Promise<void> => {
      await entries.add(kind);
      throw failure;
    };

    await expect(runInTransaction(work, options)).rejects.toBe(failure);
    expect(await entries.committed()).toEqual(outcome === 'committed' ? [kind] : []);
  });

  test.each(
    (['InvalidOrder', 'UnknownOrder', 'Bug'] as const).map((kind) => ({ kind, outcome: outcomes[kind] })),
  )('$kind in a nested scope, caught outside: $outcome', async ({ kind, outcome }) => {
    const work = async (): Promise<void> => {
      await entries.add(kind);
      throw new errors[kind]('no');
    };

    await runInTransaction(async () => {
      await runInTransaction(work, { ...options, propagation: 'NESTED' }).catch(() => undefined);
      await entries.add('outer');
    });
    expect(await entries.committed()).toEqual(outcome === 'committed' ? [kind, 'outer'] : ['outer']);
  });

  test.each(
    (['InvalidOrder', 'UnknownOrder', 'Bug'] as const).map((kind) => ({ kind, outcome: outcomes[kind] })),
  )('$kind in a joined method, caught outside: the transaction is $outcome', async ({ kind, outcome }) => {
    const work = async (): Promise<void> => {
      await entries.add(kind);
      throw new errors[kind]('no');
    };
    const call = runInTransaction(async () => {
      await runInTransaction(work, options).catch(() => undefined);
    });

    const told = await call.then(
      () => 'committed',
      (error: { code?: string }) => error.code,
    );
    expect(told).toBe(outcome === 'committed' ? 'committed' : 'UNEXPECTED_ROLLBACK');
    expect(await entries.committed()).toEqual(outcome === 'committed' ? [kind] : []);
  });
});

test.each([
  ['a string', 'no'],
  ['undefined', undefined],
  ['an object without a prototype', Object.create(null) as object],
])('%s that is thrown rolls back and reaches the caller as it is', async (_, thrown: unknown) => {
  const call = runInTransaction(
    async () => {
      await entries.add('x');
      throw thrown;
    },
    { commitOn: Bug },
  );
  await expect(call).rejects.toBe(thrown);
  expect(await entries.committed()).toEqual([]);
});

test('a change of the array after the decoration changes nothing', async () => {
  const commitOn = [InvalidOrder];
  const place = transactional(
    async () => {
      await entries.add('x');
      throw new Bug('no');
    },
    { commitOn },
  );
  commitOn.push(Bug);
  await expect(place()).rejects.toThrow(Bug);
  expect(await entries.committed()).toEqual([]);
});

describe('commitOn after a statement that failed on the server', () => {
  const failing = (): Promise<unknown> => entries.pool.query('SELECT 1/0');

  test('cannot commit: the caller is told, with the failure as the cause', async () => {
    const call = runInTransaction(
      async () => {
        await entries.add('x');
        await failing();
      },
      { commitOn: Error, name: 'Orders.place' },
    );
    await expect(call).rejects.toMatchObject({
      code: 'UNEXPECTED_ROLLBACK',
      message: expect.stringContaining('"Orders.place"'),
      cause: { code: '22012' },
    });
    expect(await entries.committed()).toEqual([]);
    expect(entries.managed.counts()).toMatchObject({ inUse: 0, idle: 1 });
  });

  test('in a nested scope undoes the scope alone', async () => {
    await runInTransaction(async () => {
      await entries.add('outer');
      const call = runInTransaction(
        async () => {
          await entries.add('inner');
          await failing();
        },
        { commitOn: Error, propagation: 'NESTED' },
      );
      await expect(call).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK', cause: { code: '22012' } });
    });
    expect(await entries.committed()).toEqual(['outer']);
  });
});

describe.each(['rollbackOn', 'commitOn'] as const)('a predicate of %s that answers a promise', (key) => {
  test.each([
    ['resolves', () => Promise.resolve(false)],
    ['rejects', () => Promise.reject(new Error('not now'))],
  ])('which %s rolls back, and is logged', async (_, predicate) => {
    const failure = new Bug('no');
    const work = async (): Promise<void> => {
      await entries.add('x');
      throw failure;
    };
    await expect(runInTransaction(work, { [key]: predicate })).rejects.toBe(failure);
    expect(await entries.committed()).toEqual([]);
    expect(log.errors).toEqual([
      [
        { error: expect.objectContaining({ message: expect.stringContaining('answered a promise') }) },
        expect.stringContaining('the work is rolled back'),
      ],
    ]);
  });
});

describe('a predicate that throws', () => {
  const broken = new TypeError('the predicate is broken');
  const failure = new Bug('no');
  const predicate = (): never => {
    throw broken;
  };
  const work = async (): Promise<void> => {
    await entries.add('x');
    throw failure;
  };

  describe.each(['rollbackOn', 'commitOn'] as const)('%s', (key) => {
    test('rolls back, the caller gets the method’s own error, and the predicate’s is logged', async () => {
      await expect(runInTransaction(work, { [key]: predicate, name: 'Orders.place' })).rejects.toBe(failure);
      expect(await entries.committed()).toEqual([]);
      expect(entries.managed.counts()).toMatchObject({ inUse: 0 });
      expect(log.errors).toEqual([
        [
          { error: expect.objectContaining({ name: 'TypeError', message: broken.message }) },
          expect.any(String),
        ],
      ]);
    });

    test('in a nested scope undoes the scope, and the transaction goes on', async () => {
      await runInTransaction(async () => {
        await expect(runInTransaction(work, { [key]: predicate, propagation: 'NESTED' })).rejects.toBe(
          failure,
        );
        await entries.add('outer');
      });
      expect(await entries.committed()).toEqual(['outer']);
    });

    test('in a joined method leaves the transaction for rollback only', async () => {
      const call = runInTransaction(() =>
        runInTransaction(work, { [key]: predicate }).catch(() => undefined),
      );
      await expect(call).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK', cause: failure });
      expect(await entries.committed()).toEqual([]);
    });
  });
});

describe('what counts as an error class, and what as a predicate', () => {
  const OtherRealmError = runInNewContext('Error') as ErrorConstructor;
  abstract class Refusal extends Error {}
  class Rejected extends Refusal {}
  const matchers: readonly (readonly [string, Rules['commitOn'], unknown, Outcome])[] = [
    ['an abstract class', Refusal, new Rejected('no'), 'committed'],
    ['a class of another realm', OtherRealmError, new OtherRealmError('no'), 'committed'],
    ['a class of another realm, another error', OtherRealmError, new Bug('no'), 'rolled back'],
    [
      'a function of the old kind',
      function (error: unknown) {
        return error === 'no';
      },
      'no',
      'committed',
    ],
    [
      'a method',
      {
        matches(error: unknown) {
          return error === 'no';
        },
      }.matches,
      'no',
      'committed',
    ],
    ['a predicate that answers no', () => false, new Bug('no'), 'rolled back'],
    ['none at all', [], new Bug('no'), 'rolled back'],
  ];
  test.each(matchers)('%s: %p, %p is %s', async (_, commitOn, thrown, outcome) => {
    const call = runInTransaction(
      async () => {
        await entries.add('x');
        throw thrown;
      },
      { commitOn: commitOn! },
    );
    await expect(call).rejects.toBe(thrown);
    expect(await entries.committed()).toEqual(outcome === 'committed' ? ['x'] : []);
  });
});

test('after setRollbackOnly an error of commitOn commits nothing, and reaches the caller as it is', async () => {
  const failure = new InvalidOrder('no');
  const call = runInTransaction(
    async () => {
      await entries.add('x');
      currentTransaction()!.setRollbackOnly();
      throw failure;
    },
    { commitOn: InvalidOrder },
  );
  await expect(call).rejects.toBe(failure);
  expect(await entries.committed()).toEqual([]);
});

test('work that was committed on its error is not run again by retry', async () => {
  let runs = 0;
  const failure = new InvalidOrder('no');
  const call = runInTransaction(
    async () => {
      runs += 1;
      await entries.add('x');
      throw failure;
    },
    { commitOn: InvalidOrder, retry: { attempts: 3, backoffMs: 1, on: () => true } },
  );
  await expect(call).rejects.toBe(failure);
  expect(runs).toBe(1);
  expect(await entries.committed()).toEqual(['x']);
});

test('a retry.on predicate that throws ends it: the caller gets the method’s own error', async () => {
  const broken = new TypeError('the predicate is broken');
  const failure = new Bug('no');
  const on = (): never => {
    throw broken;
  };
  const call = runInTransaction(() => Promise.reject(failure), { retry: { on } });
  await expect(call).rejects.toBe(failure);
  expect(log.errors).toEqual([
    [{ error: expect.objectContaining({ name: 'TypeError', message: broken.message }) }, expect.any(String)],
  ]);
});
