import type { Pool } from 'pg';
import { currentTransaction, managePool, runInTransaction, unmanagePool, type ManagedPool } from 'holdfast';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
let pool: Pool;
let managed: ManagedPool;
beforeEach(() => {
  pool = db.pool({ max: 4 });
  managed = managePool(pool);
});
afterEach(() => unmanagePool(managed));
const labels = async () => (await db.query('SELECT label FROM entry ORDER BY id')).map((r: any) => r.label);
const add = (label: string) => pool.query('INSERT INTO entry (label) VALUES ($1)', [label]);
afterEach(async () => void (await db.query('DELETE FROM entry')));

test('commits', async () => {
  await runInTransaction(async () => {
    await add('a');
    await add('b');
    expect(await labels()).toEqual([]);
    expect(currentTransaction()?.depth).toBe(1);
  });
  expect(await labels()).toEqual(['a', 'b']);
});
test('rolls back', async () => {
  await expect(
    runInTransaction(async () => {
      await add('a');
      throw new Error('no');
    }),
  ).rejects.toThrow('no');
  expect(await labels()).toEqual([]);
  expect(pool.totalCount).toBe(1);
  expect(pool.idleCount).toBe(1);
});
test('nested', async () => {
  await runInTransaction(async () => {
    await add('a');
    await Promise.all(
      [1, 2, 3].map((n) =>
        runInTransaction(
          async () => {
            await add(`n${n}`);
            await add(`m${n}`);
            if (n === 2) throw new Error('two');
          },
          { propagation: 'NESTED' },
        ).catch(() => {}),
      ),
    );
    await add('z');
  });
  expect(await labels()).toEqual(['a', 'n1', 'm1', 'n3', 'm3', 'z']);
});
test('swallowed', async () => {
  await expect(
    runInTransaction(async () => {
      await add('a');
      await pool.query('SELECT 1/0').catch(() => {});
    }),
  ).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK', cause: { code: '22012' } });
  expect(pool.idleCount).toBe(1);
});
test('first statement fails', async () => {
  await expect(
    runInTransaction(async () => {
      await pool.query('SELECT 1/0');
    }),
  ).rejects.toMatchObject({ code: '22012' });
  await expect(
    runInTransaction(async () => {
      await pool.query('SELEC');
    }),
  ).rejects.toMatchObject({ code: '42601' });
  expect(pool.idleCount).toBe(1);
});
test('requires new', async () => {
  await runInTransaction(async () => {
    await add('a');
    await runInTransaction(() => add('b'), { propagation: 'REQUIRES_NEW' });
    expect(await labels()).toEqual(['b']);
  });
});
test('client', async () => {
  await runInTransaction(async () => {
    const client = await pool.connect();
    await client.query('BEGIN');
    await client.query("INSERT INTO entry (label) VALUES ('x')");
    await client.query('ROLLBACK');
    await client.query("INSERT INTO entry (label) VALUES ('y')");
    client.release();
  });
  expect(await labels()).toEqual(['y']);
});
