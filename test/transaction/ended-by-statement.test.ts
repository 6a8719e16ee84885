import { managePool, runInTransaction, unmanagePool } from 'holdfast';
import type { Pool } from 'pg';
import { cpuMsOf } from '../harness/cpu-time.js';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
let pool: Pool;

beforeEach(() => {
  pool = db.pool({ max: 2 });
  const managed = managePool(pool);
  db.defer(() => unmanagePool(managed));
});
afterEach(() => db.truncate());

const add = (label: string): Promise<unknown> => pool.query('INSERT INTO entry (label) VALUES ($1)', [label]);

/** Texts that end the transaction in the middle, and leave the connection in another one. */
const texts = [
  'SELECT 1; COMMIT',
  'SELECT 1; ROLLBACK',
  'SELECT 1; ROLLBACK AND CHAIN',
  'SELECT 1; COMMIT AND CHAIN',
  'SELECT 1; COMMIT; BEGIN',
  'SELECT 1; ROLLBACK; BEGIN',
  'SELECT 1; COMMIT; BEGIN; SELECT 1/0',
];

test.each(texts)(
  '%s: the statement rejects, and so does the call, even when it is swallowed',
  async (text) => {
    const call = runInTransaction(async () => {
      await add('before');
      await expect(pool.query(text)).rejects.toBeInstanceOf(Error);
      await add('after').catch(() => {});
    });
    await expect(call).rejects.toMatchObject({
      code: 'UNEXPECTED_ROLLBACK',
      cause: {
        code: 'TRANSACTION_CONTROL',
        message: expect.stringMatching(/ended the transaction .* by itself/),
      },
    });
    expect(await db.query("SELECT label FROM entry WHERE label = 'after'")).toEqual([]);
    expect((await db.sessions()).filter(({ inTransaction }) => inTransaction)).toEqual([]);
  },
);

test('a savepoint that is rolled back inside a text ends nothing', async () => {
  await runInTransaction(async () => {
    await add('before');
    await pool.query(
      `SAVEPOINT mine; INSERT INTO entry (label) VALUES ('undone'); ROLLBACK TO SAVEPOINT mine; SELECT 1`,
    );
    await add('after');
  });
  expect(await db.query('SELECT label FROM entry ORDER BY id')).toEqual([
    { label: 'before' },
    { label: 'after' },
  ]);
});

test('white space behind a control statement costs nothing', async () => {
  await runInTransaction(async () => {
    const took = await cpuMsOf(() => pool.query(`PREPARE spacious AS SELECT 1${' '.repeat(100_000)}+1`));
    expect(took).toBeLessThan(2000);
  });
});
