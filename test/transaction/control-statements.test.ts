import type { Pool } from 'pg';
import { managePool, runInTransaction, TransactionControlError, unmanagePool } from 'holdfast';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
let pool: Pool;
beforeEach(async () => {
  await db.truncate();
  pool = db.pool({ max: 1 });
  const managed = managePool(pool);
  db.defer(() => unmanagePool(managed));
});

const insert = (label: string): Promise<unknown> =>
  pool.query('INSERT INTO entry (label) VALUES ($1)', [label]);
const labels = async (): Promise<string[]> =>
  (await db.query<{ label: string }>('SELECT label FROM entry ORDER BY id')).map(({ label }) => label);

/** Each would begin or end the transaction behind its owner's back. */
const refused = [
  'COMMIT',
  'commit ;',
  'COMMIT WORK',
  'END',
  'END TRANSACTION',
  'ROLLBACK',
  'ABORT',
  'COMMIT AND CHAIN',
  'ROLLBACK AND CHAIN',
  '/* a comment */ COMMIT',
  '/* one /* in another */ */ END',
  '-- a line\nCOMMIT',
  ' \n\t-- a line\n /* and more */ ROLLBACK',
  'COMMIT; SELECT 1',
  'BEGIN; SELECT 1',
  '/**/ START TRANSACTION; SELECT 1',
  "PREPARE TRANSACTION 'mine'",
  "/* later */ prepare transaction 'mine'",
];

test.each(refused)('%j is refused before it is sent, and the transaction goes on', async (text) => {
  await runInTransaction(async () => {
    await insert('before');
    await expect(pool.query(text)).rejects.toBeInstanceOf(TransactionControlError);
    expect(await labels()).toEqual([]);
    await insert('after');
  });
  expect(await labels()).toEqual(['before', 'after']);
});

test.each(refused)('%j, let through, rolls back', async (text) => {
  const working = runInTransaction(async () => {
    await insert('before');
    await pool.query(text);
  });
  await expect(working).rejects.toMatchObject({ code: 'TRANSACTION_CONTROL' });
  expect(await labels()).toEqual([]);
});

test.each([
  ['COMMIT', 'COMMIT'],
  ['-- later\nend', 'END'],
  ['Rollback', 'ROLLBACK'],
  ['ABORT;', 'ABORT'],
])('the refusal of %j quotes its verb and names the method', async (text, verb) => {
  const place = runInTransaction(() => pool.query(text), { name: 'Orders.place' });
  await expect(place).rejects.toThrow(
    `${verb} without a BEGIN on this client would end the transaction of "Orders.place" around it; it was not sent.`,
  );
});

/** Each only looks like one. */
const ordinary = [
  "SELECT 'COMMIT'",
  'SELECT 1 AS commit',
  '/* COMMIT */ SELECT 1',
  '-- COMMIT\nSELECT 1',
  'PREPARE one AS SELECT 1; DEALLOCATE one',
  'SAVEPOINT mine; ROLLBACK TO SAVEPOINT mine; RELEASE mine',
];

test.each(ordinary)('%j is a statement like any other', async (text) => {
  await runInTransaction(async () => {
    await insert('before');
    await pool.query(text);
    await insert('after');
  });
  expect(await labels()).toEqual(['before', 'after']);
});

test.each([
  'ROLLBACK TO mine',
  'ROLLBACK TO SAVEPOINT mine',
  'rollback work to mine',
  '/* a */ ROLLBACK TRANSACTION TO mine',
])('%j undoes what came after the savepoint, and no more', async (text) => {
  await runInTransaction(async () => {
    await insert('before');
    const client = await pool.connect();
    await client.query('SAVEPOINT mine');
    await client.query("INSERT INTO entry (label) VALUES ('undone')");
    await client.query(text);
    client.release();
    await insert('after');
  });
  expect(await labels()).toEqual(['before', 'after']);
});
