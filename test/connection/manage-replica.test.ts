import { Client } from 'pg';
import type { Pool } from 'pg';
import {
  DuplicateDataSourceError,
  managePool,
  runInTransaction,
  unmanagePool,
  UnsupportedDriverError,
  type ManagedPool,
} from 'holdfast';
import { ManualClock } from 'holdfast/testing';
import { manageReplica } from '../../src/connection/index.js';
import { useDatabase } from '../harness/database.js';
import { describeInstance, errorOf } from './inspect.js';

const db = useDatabase();
const managed: ManagedPool[] = [];
const manage = (...args: Parameters<typeof managePool>): ManagedPool => {
  const handle = managePool(...args);
  managed.push(handle);
  return handle;
};
afterEach(() => managed.splice(0).forEach(unmanagePool));

const backendOf = async (dataSource: string, pool: Pool, readOnly = false): Promise<number> => {
  const { rows } = await runInTransaction(
    () => pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid'),
    { dataSource, readOnly },
  );
  return rows[0]!.pid;
};

test('a read-only transaction begins on a replica, any other on the primary', async () => {
  const [primary, replica] = [db.pool({ max: 1 }), db.pool({ max: 1 })];
  const handle = manage(primary, { name: 'shop' });
  const second = manageReplica(replica, handle);
  expect(second).toMatchObject({ name: 'shop/replica-1', serving: true });
  await Promise.all([primary.query('SELECT 1'), replica.query('SELECT 1')]);

  const [ofPrimary, ofReplica] = await Promise.all(
    [primary, replica].map(async (pool) => {
      const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      return rows[0]!.pid;
    }),
  );
  expect([await backendOf('shop', primary), await backendOf('shop', primary, true)]).toEqual([
    ofPrimary,
    ofReplica,
  ]);
  expect(await backendOf('shop', replica)).toBe(ofPrimary);
});

test('a replica takes its time from the clock of its primary', async () => {
  const replica = db.pool();
  const clock = new ManualClock();
  clock.advance(5_000_000);
  const handle = manageReplica(replica, manage(db.pool(), { name: 'shop', clock }));
  const client = await replica.connect();
  expect(handle.leases()).toMatchObject([{ requestedAt: 5_000_000, acquiredAt: 5_000_000 }]);
  client.release();
});

test('the same replica twice is one, and each further one has a name of its own', () => {
  const handle = manage(db.pool(), { name: 'shop' });
  const [first, second] = [db.pool(), db.pool()];
  expect(manageReplica(first, handle)).toBe(manageReplica(first, handle));
  expect(manageReplica(second, handle).name).toBe('shop/replica-2');
  expect(handle.source.replicas).toHaveLength(2);
});

test.each([
  ['the primary itself', (primary: Pool) => primary],
  [
    'the primary of another data source',
    () => {
      const other = db.pool();
      manage(other, { name: 'other' });
      return other;
    },
  ],
  [
    'a replica of another data source',
    () => {
      const replica = db.pool();
      manageReplica(replica, manage(db.pool(), { name: 'other' }));
      return replica;
    },
  ],
])('%s is refused', (_what, choose) => {
  const primary = db.pool();
  const handle = manage(primary, { name: 'shop' });
  const error = errorOf(() => manageReplica(choose(primary), handle));
  expect(error).toBeInstanceOf(DuplicateDataSourceError);
  expect(error.message).toContain('cannot be a replica of "shop" as well');
  expect(handle.source.replicas).toEqual([]);
});

test.each([{}, { name: 'shop' }, { name: 'other' }])(
  'a replica cannot be managed as a data source of its own: %j',
  (options) => {
    const replica = db.pool();
    manageReplica(replica, manage(db.pool(), { name: 'shop' }));
    const error = errorOf(() => managePool(replica, options));
    expect(error).toBeInstanceOf(DuplicateDataSourceError);
    expect(error.message).toMatch(
      /already managed as "shop\/replica-1".* Make a pool of its own for "\w+"\.$/,
    );
  },
);

test.each([
  ['undefined', undefined],
  ['an empty object', {}],
  ['a pg Client', new Client()],
])('%s is refused', (_what, object) => {
  const handle = manage(db.pool(), { name: 'shop' });
  expect(errorOf(() => manageReplica(object as unknown as Pool, handle))).toBeInstanceOf(
    UnsupportedDriverError,
  );
});

test('unmanagePool of the primary takes its replicas back too', () => {
  const replica = db.pool();
  const before = describeInstance(replica);
  const handle = managePool(db.pool(), { name: 'shop' });
  manageReplica(replica, handle);
  unmanagePool(handle);
  expect(describeInstance(replica)).toEqual(before);
});
