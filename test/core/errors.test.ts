import {
  HoldfastError,
  InvalidOptionsError,
  TransactionClosedError,
  TransactionTimeoutError,
  UnexpectedRollbackError,
} from 'holdfast';
import * as door from 'holdfast';
import { messageOf } from '../../src/core/index.js';

type ErrorClass = new (message: string, details?: { cause?: unknown; retryable?: boolean }) => HoldfastError;
const classes = (Object.values(door) as unknown[]).filter(
  (value): value is ErrorClass & { code: string } =>
    typeof value === 'function' && value !== HoldfastError && HoldfastError.isPrototypeOf(value),
);

describe.each(classes.map((type) => ({ name: type.name, type })))('$name', ({ name, type }) => {
  test('has a name, a code of its own, a message and a stack', () => {
    const error = new type('what happened', {});
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe(name);
    expect(error.message).toBe('what happened');
    expect(error.code).toBe(type.code);
    expect(error.code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(error.stack).toContain(`${name}: what happened`);
  });
});

test('no two kinds share a code', () => {
  const codes = classes.map(({ code }) => code);
  expect(classes.length).toBeGreaterThan(15);
  expect(new Set(codes).size).toBe(codes.length);
});

test('a cause is kept as it is, and absent where there is none', () => {
  const cause = { code: '40001' };
  expect(new UnexpectedRollbackError('x', { cause }).cause).toBe(cause);
  expect(new UnexpectedRollbackError('x')).not.toHaveProperty('cause');
});

test('retryable is false unless it is said', () => {
  expect(new UnexpectedRollbackError('x').retryable).toBe(false);
  expect(new UnexpectedRollbackError('x', { retryable: true }).retryable).toBe(true);
});

describe('instanceof', () => {
  const closed = new TransactionClosedError('x');

  test('tells the kinds apart', () => {
    expect(closed instanceof HoldfastError).toBe(true);
    expect(closed instanceof TransactionClosedError).toBe(true);
    expect(closed instanceof TransactionTimeoutError).toBe(false);
  });

  test.each([
    undefined,
    null,
    'TRANSACTION_CLOSED',
    new Error('x'),
    { code: 'TRANSACTION_CLOSED' },
    Object.assign(new Error('x'), { code: 'TRANSACTION_CLOSED' }),
  ])('what has no brand is none of ours: %p', (value) => {
    expect((value as unknown) instanceof HoldfastError).toBe(false);
    expect((value as unknown) instanceof TransactionClosedError).toBe(false);
  });

  test('a subclass that an application makes means its own objects', () => {
    class OrderClosedError extends TransactionClosedError {}
    class OrderError extends HoldfastError {
      readonly code = 'ORDER';
    }
    expect(closed instanceof OrderClosedError).toBe(false);
    expect(closed instanceof OrderError).toBe(false);
    expect(new OrderClosedError('x') instanceof OrderClosedError).toBe(true);
    expect(new OrderClosedError('x') instanceof TransactionClosedError).toBe(true);
    expect(new OrderError('x') instanceof OrderError).toBe(true);
    expect(new OrderError('x') instanceof HoldfastError).toBe(true);
  });
});

describe('two copies of the package in one process', () => {
  let other: typeof door;
  beforeAll(() => {
    jest.isolateModules(() => (other = jest.requireActual<typeof door>('../../src/index.js')));
  });

  test('are two copies indeed', () => {
    expect(other.TransactionClosedError).not.toBe(TransactionClosedError);
    expect(Object.getPrototypeOf(new other.TransactionClosedError('x'))).not.toBe(
      TransactionClosedError.prototype,
    );
  });

  test('know each other’s errors, by kind', () => {
    const error: unknown = new other.TransactionClosedError('x');
    expect(error instanceof HoldfastError).toBe(true);
    expect(error instanceof TransactionClosedError).toBe(true);
    expect(error instanceof TransactionTimeoutError).toBe(false);
    expect((new InvalidOptionsError('x') as unknown) instanceof other.InvalidOptionsError).toBe(true);
  });

  test('see one transaction, and never give out one id twice', async () => {
    const { managePool, unmanagePool } = other;
    const pg = jest.requireActual<typeof import('pg')>('pg');
    const managed = managePool(new pg.Pool());
    try {
      const ids = await other.runInTransaction(
        async () => {
          const outer = door.currentTransaction();
          expect(outer).toMatchObject({ name: 'theirs', depth: 1 });
          const inner = await door.runInTransaction(async () => door.currentTransaction()?.id, {
            propagation: 'REQUIRES_NEW',
          });
          return [outer?.id, inner];
        },
        { name: 'theirs' },
      );
      expect(new Set(ids).size).toBe(2);
    } finally {
      unmanagePool(managed);
    }
  });
});

test.each([
  [new Error('said'), 'said'],
  ['said', 'said'],
  [undefined, 'undefined'],
  [7, '7'],
])('messageOf(%p) is %p', (thrown, message) => {
  expect(messageOf(thrown)).toBe(message);
});
