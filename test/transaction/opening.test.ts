import { managePool, runInTransaction, Transactional, TransactionClosedError, unmanagePool } from 'holdfast';
import type { Pool } from 'pg';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
let pool: Pool;

beforeAll(() => {
  // Read at the first transaction of the process; jest gives each test file a process of its own, as far as that goes.
  process.env['NODE_ENV'] = 'production';
});
beforeEach(() => {
  pool = db.pool({ max: 1 });
  const managed = managePool(pool);
  db.defer(() => unmanagePool(managed));
});

/** What a statement that comes too late is told of the place that opened its transaction. */
async function lateError(open: (work: () => Promise<void>) => Promise<unknown>): Promise<Error> {
  let late: Promise<unknown> | undefined;
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  await open(async () => {
    late = ended.then(() => pool.query('SELECT 1'));
  });
  end();
  const error = await late!.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TransactionClosedError);
  return (error as Error).cause as Error;
}

class Orders {
  @Transactional()
  async place(work: () => Promise<void>): Promise<void> {
    await work();
  }
}

function placeAnOrder(work: () => Promise<void>): Promise<void> {
  return new Orders().place(work);
}

test('in production the first error of a name says that no place was recorded, the second names it', async () => {
  const first = await lateError(placeAnOrder);
  expect(first.message).toBe(
    'transaction "Orders.place" was opened at a place that was not recorded, because NODE_ENV is production; from now on it is',
  );
  expect(first.stack).not.toContain('opening.test.ts');

  const second = await lateError(placeAnOrder);
  expect(second.message).toBe('transaction "Orders.place" was opened here');
  const [, nearest] = second.stack!.split('\n');
  expect(nearest).toMatch(/opening\.test\.ts:\d+/);

  const other = await lateError((work) => runInTransaction(work, { name: 'another' }));
  expect(other.message).toContain('not recorded');
});

test('a stack is taken without a trace on the stacks of others', async () => {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 3;
  try {
    await lateError(placeAnOrder);
    expect(Error.stackTraceLimit).toBe(3);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
});
