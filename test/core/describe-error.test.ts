import { inspect } from 'node:util';
import { UnexpectedRollbackError } from 'holdfast';
import { describeError } from '../../src/core/index.js';

/** What real databases and ORMs throw is logged in test/transaction/logged-errors.test.ts. */
const secret = 's3cret';
const withheld = '(the message is not logged, for it may hold values)';
const answer = (message: string, details: object = {}): Error =>
  Object.assign(new Error(message), { severity: 'ERROR', code: '23505', ...details });

describe('an application’s own error', () => {
  class OutOfStock extends Error {
    readonly code = 'OUT_OF_STOCK';
    readonly password = secret;
  }

  test('keeps its message, code and stack, and nothing else', () => {
    const error = new OutOfStock('no pens left');
    expect(describeError(error)).toEqual({
      name: 'OutOfStock',
      code: 'OUT_OF_STOCK',
      message: 'no pens left',
      stack: error.stack!.replace(/^Error/, 'OutOfStock'),
    });
  });

  test('keeps the name that it gave itself', () => {
    expect(describeError(Object.assign(new Error('x'), { name: 'Refused' }))).toMatchObject({
      name: 'Refused',
    });
  });

  test('is followed to what led to it', () => {
    const error = new UnexpectedRollbackError('lost', {
      cause: new OutOfStock('no', { cause: new TypeError('why') }),
    });
    expect(describeError(error)).toMatchObject({
      name: 'UnexpectedRollbackError',
      code: 'UNEXPECTED_ROLLBACK',
      causes: [
        { name: 'OutOfStock', message: 'no' },
        { name: 'TypeError', message: 'why' },
      ],
    });
  });
});

/** Shapes of what other libraries make of a driver's error. */
test.each<[string, unknown, object]>([
  [
    'knex puts the statement in front of the driver’s own message',
    answer(`insert into "account" ("owner") values ('${secret}') - duplicate key`, {
      constraint: 'account_owner_key',
    }),
    { code: '23505', message: 'unique_violation', constraint: 'account_owner_key' },
  ],
  [
    'Objection keeps the driver’s error as nativeError',
    Object.assign(new Error(`values ('${secret}')`), { nativeError: answer(secret) }),
    { message: withheld },
  ],
  [
    'Sequelize carries the statement',
    Object.assign(new Error(secret), { sql: secret, parameters: [secret] }),
    { message: withheld },
  ],
  [
    'mysql2 carries the server’s message',
    Object.assign(new Error(secret), { sqlMessage: secret, code: 'ER_DUP_ENTRY' }),
    { code: 'ER_DUP_ENTRY', message: withheld },
  ],
  [
    'a query with its parameters',
    Object.assign(new Error(secret), { query: 'SELECT $1', params: [secret] }),
    { message: withheld },
  ],
])('%s: its message is left out', (_, error, logged) => {
  const described = describeError(error);
  expect(described).toMatchObject(logged);
  expect(inspect(described, { depth: 9 })).not.toContain(secret);
});

test('a message of several lines, some like frames, leaves nothing behind in the stack', () => {
  const described = describeError(answer(`first\n    at ${secret}\nlast ${secret}`));
  expect(described.stack).toMatch(/^Error: unique_violation\n {4}at /);
  expect(inspect(described)).not.toContain(secret);
});

test('a message that was changed after the error was made leaves nothing behind either', () => {
  const error = answer(`value ${secret}`);
  error.message = 'changed';
  expect(inspect(describeError(error))).not.toContain(secret);
});

test.each<[string, unknown, object]>([
  ['a string', 'no pens left', { name: 'string', message: 'no pens left' }],
  ['undefined', undefined, { name: 'undefined', message: 'undefined' }],
  ['a number', 7, { name: 'number', message: '7' }],
  ['a symbol', Symbol('x'), { name: 'symbol', message: 'Symbol(x)' }],
  ['an object', { password: secret }, { name: 'Object', message: 'it has no message' }],
  ['an object without a prototype', Object.create(null), { name: 'an object', message: 'it has no message' }],
  [
    'an object that cannot be read',
    new Proxy(
      {},
      {
        get() {
          throw new Error('no');
        },
      },
    ),
    { name: 'an object', message: 'it has no message' },
  ],
])('%s that was thrown', (_, thrown, described) => {
  expect(describeError(thrown)).toEqual(described);
});
