import type { Pool } from 'pg';
import { type ManagedPool, managePool, runInTransaction, unmanagePool } from 'holdfast';
import { manageReplica } from '../../src/connection/index.js';
import { useDatabase } from '../harness/database.js';

/** Two pools on one server, told apart by the application's name: a replica that is never behind. */
const db = useDatabase();
let primary: Pool;
let replica: Pool;
let managed: ManagedPool;
beforeEach(() => {
  primary = db.pool({ max: 2, application_name: 'primary' });
  replica = db.pool({ max: 2, application_name: 'replica' });
  managed = managePool(primary);
  manageReplica(replica, managed);
});
afterEach(() => unmanagePool(managed));

const where = async (pool = primary): Promise<string> => {
  const { rows } = await pool.query<{ name: string }>("SELECT current_setting('application_name') AS name");
  return rows[0]!.name;
};
const readOnly = { readOnly: true };

test('a read-only transaction runs on the replica, whichever of the pools is asked', async () => {
  const seen = await runInTransaction(async () => [await where(primary), await where(replica)], readOnly);
  expect(seen).toEqual(['replica', 'replica']);
  expect([primary.totalCount, replica.totalCount]).toEqual([0, 1]);
});

test('a transaction that may write runs on the primary, whichever of the pools is asked', async () => {
  const seen = await runInTransaction(async () => [await where(primary), await where(replica)]);
  expect(seen).toEqual(['primary', 'primary']);
  expect([primary.totalCount, replica.totalCount]).toEqual([1, 0]);
});

test('outside a transaction each pool is itself', async () => {
  expect([await where(primary), await where(replica)]).toEqual(['primary', 'replica']);
});

test('a read-only method that joins a writing one reads what that one wrote', async () => {
  await runInTransaction(async () => {
    await primary.query("INSERT INTO entry (label) VALUES ('new')");
    const rows = await runInTransaction(
      async () => (await primary.query('SELECT label FROM entry')).rows,
      readOnly,
    );
    expect(rows).toEqual([{ label: 'new' }]);
  });
});

test('a writing REQUIRES_NEW inside a read-only transaction is on the primary, and back', async () => {
  await runInTransaction(async () => {
    expect(await where()).toBe('replica');
    expect(await runInTransaction(() => where(), { propagation: 'REQUIRES_NEW' })).toBe('primary');
    expect(await where()).toBe('replica');
  }, readOnly);
});

test('savepoints of a read-only transaction stay on the replica', async () => {
  const nested = { propagation: 'NESTED', readOnly: true } as const;
  await runInTransaction(async () => {
    await expect(runInTransaction(() => primary.query('SELECT 1/0'), nested)).rejects.toMatchObject({
      code: '22012',
    });
    expect(await where()).toBe('replica');
  }, readOnly);
});

test('several replicas share the read-only transactions', async () => {
  const second = db.pool({ max: 2, application_name: 'replica 2' });
  manageReplica(second, managed);
  const seen = new Set<string>();
  while (seen.size < 2) seen.add(await runInTransaction(() => where(), readOnly));
  expect([...seen].sort()).toEqual(['replica', 'replica 2']);
});

test('a replica that has ended is none: the primary takes its transactions', async () => {
  await replica.end();
  expect(await runInTransaction(() => where(), readOnly)).toBe('primary');
});
