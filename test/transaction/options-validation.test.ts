import {
  HoldfastError,
  InvalidOptionsError,
  runInTransaction,
  Transactional,
  transactional,
  type TransactionOptions,
  UnsupportedReturnError,
} from 'holdfast';

const wrong: readonly { key: keyof TransactionOptions; value: unknown; message: RegExp }[] = [
  { key: 'dataSource', value: '', message: /\.dataSource must be a non-empty string, but is ""/ },
  { key: 'dataSource', value: 7, message: /\.dataSource must be a non-empty string, but is 7/ },
  { key: 'dataSource', value: null, message: /\.dataSource must be a non-empty string, but is null/ },
  {
    key: 'propagation',
    value: 'required',
    message: /\.propagation must be one of REQUIRED, .*, but is "required"/,
  },
  { key: 'propagation', value: 1, message: /\.propagation must be one of .* but is 1/ },
  { key: 'isolationLevel', value: 'SNAPSHOT', message: /\.isolationLevel must be one of READ UNCOMMITTED/ },
  { key: 'isolationLevel', value: 'serializable', message: /\.isolationLevel must be one of .*SERIALIZABLE/ },
  { key: 'readOnly', value: 'yes', message: /\.readOnly must be true or false, but is "yes"/ },
  { key: 'timeoutMs', value: 0, message: /\.timeoutMs must be a number of milliseconds above 0/ },
  { key: 'timeoutMs', value: -1, message: /\.timeoutMs must be .* but is -1/ },
  { key: 'timeoutMs', value: Number.NaN, message: /\.timeoutMs must be .* but is NaN/ },
  {
    key: 'timeoutMs',
    value: Infinity,
    message: /\.timeoutMs must be .* at most 2147483647, but is Infinity/,
  },
  { key: 'timeoutMs', value: '5s', message: /\.timeoutMs must be .* but is "5s"/ },
  {
    key: 'rollbackOn',
    value: 'Error',
    message: /\.rollbackOn must be an error class, a predicate, or an array/,
  },
  { key: 'rollbackOn', value: [Error, 'Error'], message: /\.rollbackOn must be an error class/ },
  {
    key: 'rollbackOn',
    value: async () => false,
    message:
      /\.rollbackOn must be a synchronous function, for nobody awaits its answer, but is the function value/,
  },
  {
    key: 'commitOn',
    value: [Error, async () => false],
    message: /\.commitOn must be a synchronous function/,
  },
  {
    key: 'retry',
    value: { on: async () => false },
    message: /\.retry\.on must be a synchronous function, .* the function on/,
  },
  { key: 'commitOn', value: {}, message: /\.commitOn must be .* but is an object \(Object\)/ },
  { key: 'retry', value: 3, message: /\.retry must be an options object, but is 3/ },
  { key: 'retry', value: true, message: /\.retry must be an options object, but is true/ },
  { key: 'retry', value: { attempts: 0 }, message: /\.retry\.attempts must be a whole number from 1 to 100/ },
  { key: 'retry', value: { attempts: 101 }, message: /\.retry\.attempts must be .* but is 101/ },
  { key: 'retry', value: { attempts: 1.5 }, message: /\.retry\.attempts must be a whole number/ },
  { key: 'retry', value: { backoffMs: 0 }, message: /\.retry\.backoffMs must be a number of milliseconds/ },
  {
    key: 'retry',
    value: { maxBackoffMs: '1' },
    message: /\.retry\.maxBackoffMs must be a number of milliseconds/,
  },
  { key: 'retry', value: { on: '40001' }, message: /\.retry\.on must be a function, but is "40001"/ },
  {
    key: 'retry',
    value: { attemps: 3 },
    message: /\.retry has no option "attemps"; did you mean "attempts"\?/,
  },
  { key: 'name', value: '', message: /\.name must be a non-empty string/ },
];

/** Every way in reads the options before any call is made. */
const waysIn: Readonly<Record<string, (options: TransactionOptions) => unknown>> = {
  '@Transactional()': (options) => Transactional(options),
  'transactional()': (options) => transactional(async () => undefined, options),
};

describe.each(Object.entries(waysIn))('%s refuses at once', (_, decorate) => {
  test.each(wrong)('$key: $value', ({ key, value, message }) => {
    const decorated = (): unknown => decorate({ [key]: value } as TransactionOptions);
    expect(decorated).toThrow(InvalidOptionsError);
    expect(decorated).toThrow(message);
  });

  test('an option that does not exist, with the nearest that does', () => {
    expect(() => decorate({ timeout: 5 } as TransactionOptions)).toThrow(
      /has no option "timeout"; did you mean "timeoutMs"\? Known options: dataSource, propagation, /,
    );
    expect(() => decorate({ connectionName: 'x' } as TransactionOptions)).toThrow(
      /has no option "connectionName"\. Known options: dataSource/,
    );
  });

  test.each(['REQUIRED', 7, []])('what is no options object: %p', (options) => {
    expect(() => decorate(options as unknown as TransactionOptions)).toThrow(/must be an options object/);
  });

  test.each([{ retry: {} }, { dataSource: ['orders', 'audit'] }])(
    'allowImplicitCommit together with %j',
    (option) => {
      expect(() => decorate({ allowImplicitCommit: true, ...option })).toThrow(
        'allowImplicitCommit cannot be combined with retry',
      );
    },
  );

  test.each(['NOT_SUPPORTED', 'NEVER'] as const)(
    '%s with an option that needs a transaction',
    (propagation) => {
      for (const option of [
        { isolationLevel: 'SERIALIZABLE' },
        { allowImplicitCommit: true },
        { timeoutMs: 5 },
        { retry: {} },
        { rollbackOn: Error },
        { commitOn: Error },
      ] as const) {
        expect(() => decorate({ propagation, ...option })).toThrow(
          new RegExp(`${Object.keys(option)[0]} has no meaning with propagation ${propagation}`),
        );
      }
    },
  );
});

describe('commitOn with a class of holdfast, after whose errors the work is always rolled back', () => {
  class OutOfStock extends HoldfastError {
    readonly code = 'OUT_OF_STOCK';
  }
  let fromOtherCopy!: typeof UnsupportedReturnError;
  jest.isolateModules(() => {
    ({ UnsupportedReturnError: fromOtherCopy } =
      jest.requireActual<typeof import('holdfast')>('../../src/index.js'));
  });

  test.each([
    ['the base class', HoldfastError],
    ['one of its kinds', UnsupportedReturnError],
    ['one of an application', OutOfStock],
    ['one of the other copy of the package', fromOtherCopy],
  ])('%s is refused', (_, type) => {
    const decorated = (): unknown => Transactional({ commitOn: [Error, type] });
    expect(decorated).toThrow(InvalidOptionsError);
    expect(decorated).toThrow(
      `transaction options.commitOn must be no class of holdfast, after whose errors the work is always rolled back, but is the function ${type.name}.`,
    );
  });

  test('in rollbackOn it is allowed: it says what is so anyway', () => {
    expect(() => Transactional({ rollbackOn: [UnsupportedReturnError] })).not.toThrow();
  });
});

test('runInTransaction rejects, and does not call the work', async () => {
  const work = jest.fn(async () => undefined);
  const call = runInTransaction(work, { readOnly: 'yes' as unknown as boolean });
  await expect(call).rejects.toBeInstanceOf(InvalidOptionsError);
  expect(work).not.toHaveBeenCalled();
});

test.each([undefined, 'work', {}])('work that is no function is refused: %p', async (work) => {
  await expect(runInTransaction(work as unknown as () => Promise<void>)).rejects.toMatchObject({
    code: 'INVALID_OPTIONS',
    message: expect.stringContaining('runInTransaction(work) must be a function'),
  });
  expect(() => transactional(work as unknown as () => Promise<void>)).toThrow(
    /transactional\(fn\) must be a function/,
  );
});

test('the caller’s options object is not written to, and a frozen one is taken', () => {
  const options = Object.freeze({
    retry: Object.freeze({ attempts: 2 }),
    rollbackOn: Object.freeze([Error]),
  });
  expect(() => Transactional(options)).not.toThrow();
});

test('a connection string that stands where it does not belong is not printed', () => {
  const secret = 'postgres://app:hunter2@db.internal/shop';
  const read = (): unknown => Transactional({ propagation: secret as 'REQUIRED' });
  expect(read).toThrow(/\.propagation must be one of .* but is a string\./);
  expect(read).not.toThrow(/hunter2/);
});
