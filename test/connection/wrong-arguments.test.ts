import { Pool } from 'pg';
import {
  currentTransaction,
  InvalidOptionsError,
  managedPool,
  managePool,
  manageReplica,
  runInTransaction,
  unmanagePool,
} from 'holdfast';
import { useDatabase } from '../harness/database.js';
import { describeInstance, errorOf } from './inspect.js';

const db = useDatabase();

const wrongNames = [null, 42, '', {}, { name: 'shop' }];
const notManaged: readonly [string, () => unknown][] = [
  ['undefined', () => undefined],
  ['null', () => null],
  ["the driver's pool", () => new Pool()],
  ['a name', () => 'default'],
];

/** In JavaScript nothing keeps these from being given; a TypeError from our inside would say nothing of what to do. */
describe.each<[string, (argument: unknown) => unknown, readonly [string, () => unknown][]]>([
  [
    'managedPool(name)',
    (name) => managedPool(name as string),
    wrongNames.map((name) => [JSON.stringify(name), () => name]),
  ],
  [
    'currentTransaction(dataSource)',
    (name) => currentTransaction(name as string),
    wrongNames.map((name) => [JSON.stringify(name), () => name]),
  ],
  [
    'manageReplica(pool, primary)',
    (primary) => manageReplica(new Pool(), primary as ReturnType<typeof managePool>),
    notManaged,
  ],
  ['unmanagePool(managed)', (managed) => unmanagePool(managed as ReturnType<typeof managePool>), notManaged],
])('%s', (call, give, wrong) => {
  test.each(wrong)('%s is refused, with what is wanted', (_, argument) => {
    const error = errorOf(() => give(argument()));
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect(error.message).toMatch(/ must be .+, but is .+\.$/);
    expect(error.message.startsWith(call)).toBe(true);
  });
});

describe('observe(observer)', () => {
  test.each([
    ['undefined', undefined],
    ['a function', () => undefined],
    ['a handler that is no function', { acquired: 'log' }],
  ])('%s is refused', (_, observer) => {
    const managed = managePool(db.pool());
    try {
      const error = errorOf(() => managed.observe(observer as object));
      expect(error).toBeInstanceOf(InvalidOptionsError);
      expect(error.message).toContain('wait, gaveUp, acquired, abandoned, returned, destroyed, lateUse');
    } finally {
      unmanagePool(managed);
    }
  });
});

test('a primary that is none leaves the replica as it was', () => {
  const replica = db.pool();
  const before = describeInstance(replica);
  errorOf(() => manageReplica(replica, db.pool() as unknown as ReturnType<typeof managePool>));
  expect(describeInstance(replica)).toEqual(before);
});

test('inside a transaction a wrong name is refused as well', async () => {
  const managed = managePool(db.pool());
  try {
    await expect(
      runInTransaction(async () => currentTransaction(7 as unknown as string)),
    ).rejects.toBeInstanceOf(InvalidOptionsError);
  } finally {
    unmanagePool(managed);
  }
});
