import type { Pool } from 'pg';
import * as first from 'holdfast';
import { LeaseLog } from './lease-log.js';
import { useDatabase } from '../harness/database.js';

type Holdfast = typeof first;

const db = useDatabase();

/** A second copy of the package in this process, as when one library imports it and another requires it. */
function secondCopy(): Holdfast {
  let copy: Holdfast | undefined;
  jest.isolateModules(() => {
    copy = jest.requireActual<Holdfast>('holdfast');
  });
  return copy!;
}

const second = secondCopy();
const copies: readonly (readonly [direction: string, manager: Holdfast, user: Holdfast])[] = [
  ['managed by one copy, used by the other', first, second],
  ['managed by the other copy, used by the one', second, first],
];

test('they are two copies', () => {
  expect(second.managePool).not.toBe(first.managePool);
  expect(second.HoldfastError).not.toBe(first.HoldfastError);
});

describe.each(copies)('a pool %s', (_direction, manager, user) => {
  let pool: Pool;
  let managed: first.ManagedPool;
  beforeEach(() => {
    pool = db.pool({ max: 2 });
    managed = manager.managePool(pool, { name: 'shared' });
  });
  afterEach(async () => {
    manager.unmanagePool(managed);
    await db.truncate();
  });

  const add = (label: string) => pool.query('INSERT INTO entry (label) VALUES ($1)', [label]);
  const labels = async () =>
    (await db.query<{ label: string }>('SELECT label FROM entry ORDER BY id')).map(({ label }) => label);

  test('is one pool: managed again by the other, it is the same handle, wrapped once', () => {
    const { connect } = pool;
    expect(user.managePool(pool, { name: 'shared' })).toBe(managed);
    expect(pool.connect).toBe(connect);
    expect(() => user.managePool(db.pool(), { name: 'shared' })).toThrow(
      'already managed under the name "shared"',
    );
  });

  test('joins the other copy’s transaction', async () => {
    await expect(
      user.runInTransaction(
        async () => {
          await add('undone');
          throw new Error('undone');
        },
        { dataSource: 'shared' },
      ),
    ).rejects.toThrow('undone');
    expect(await labels()).toEqual([]);
  });

  test('a method of one copy inside a method of the other is one transaction, and sees it', async () => {
    await user.runInTransaction(
      async () => {
        await add('outer');
        await manager.runInTransaction(
          async () => {
            await add('inner');
            expect(manager.currentTransaction()?.id).toBe(user.currentTransaction()?.id);
          },
          { dataSource: 'shared' },
        );
        expect(await labels()).toEqual([]);
      },
      { dataSource: 'shared' },
    );
    expect(await labels()).toEqual(['outer', 'inner']);
  });

  test('an error of one copy is an instance of the other’s class, and of no other', async () => {
    const client = await pool.connect();
    client.release();
    let released: unknown;
    try {
      client.release();
    } catch (error) {
      released = error;
    }
    expect(released).toBeInstanceOf(user.LeaseReleasedError);
    expect(released).toBeInstanceOf(manager.LeaseReleasedError);
    expect(released).toBeInstanceOf(user.HoldfastError);
    expect(released).not.toBeInstanceOf(user.StaleLeaseError);
    await expect(
      user.runInTransaction(async () => undefined, { dataSource: 'unknown' }),
    ).rejects.toBeInstanceOf(manager.UnknownDataSourceError);
  });

  test('can be unmanaged by the other', async () => {
    user.unmanagePool(managed);
    expect(Object.hasOwn(pool, 'connect')).toBe(false);
    await expect(
      manager.runInTransaction(async () => undefined, { dataSource: 'shared' }),
    ).rejects.toMatchObject({ code: 'UNKNOWN_DATA_SOURCE' });
  });
});

test('leases of pools that different copies manage have different ids', async () => {
  const logs = [first, second].map((copy, index) => {
    const pool = db.pool();
    const managed = copy.managePool(pool, { name: `copy ${index}` });
    db.defer(() => copy.unmanagePool(managed));
    return { pool, log: new LeaseLog(managed) };
  });
  for (let round = 0; round < 3; round++) for (const { pool } of logs) await pool.query('SELECT 1');
  const ids = logs.flatMap(({ log }) => log.leases().map(({ id }) => id));
  expect(new Set(ids).size).toBe(6);
});

test('a logger that is set through one copy is used by the other', async () => {
  const logged: string[] = [];
  const silent = (): void => undefined;
  first.setLogger({
    debug: silent,
    info: silent,
    warn: silent,
    error: (_fields, message) => void logged.push(message),
  });
  const pool = db.pool();
  const managed = second.managePool(pool, { name: 'logging' });
  db.defer(() => second.unmanagePool(managed));
  managed.observe({
    acquired: () => {
      throw new Error('observer broke');
    },
  });
  await pool.query('SELECT 1');
  first.setLogger(undefined);
  expect(logged).toEqual([expect.stringContaining('a lease observer threw')]);
});
