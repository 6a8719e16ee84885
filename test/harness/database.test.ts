import { Client, Pool } from 'pg';
import { useDatabase } from './database.js';
import { findLeaksOfFile, findLeaksOfTest, findLentClients } from './leaks.js';
import { TrackedPool } from './tracked-pool.js';

const db = useDatabase();

test('is named after the file and has the default tables, empty', async () => {
  expect(db.name).toMatch(/^harness_database_/);
  expect(new URL(db.url).pathname).toBe(`/${db.name}`);
  const tables = await db.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`,
  );
  expect(tables.map(({ name }) => name)).toEqual(['account', 'child', 'entry', 'parent']);
  expect(await db.query('SELECT * FROM account')).toEqual([]);
});

test('checks the foreign key of child at COMMIT only', async () => {
  const client = await db.client();
  await client.query('BEGIN');
  await client.query('INSERT INTO child VALUES (1, 42)');
  await expect(client.query('COMMIT')).rejects.toMatchObject({ code: '23503' });
});

test('the observer sees committed rows only, and is no session of the database', async () => {
  const pool = db.pool({ max: 1 });
  const client = await pool.connect();
  await client.query('BEGIN');
  await client.query(`INSERT INTO entry (label) VALUES ('uncommitted')`);
  expect(await db.query('SELECT * FROM entry')).toEqual([]);
  expect(await db.sessions()).toMatchObject([{ state: 'idle in transaction', inTransaction: true }]);
  await client.query('ROLLBACK');
  client.release();
});

test('truncate() empties the tables and restarts the sequences', async () => {
  await db.query(`INSERT INTO entry (label) VALUES ('one'), ('two')`);
  await db.truncate();
  expect(await db.query(`INSERT INTO entry (label) VALUES ('again') RETURNING id`)).toEqual([{ id: 1 }]);
});

test('query() takes parameters and may run several times at once', async () => {
  const answers = await Promise.all([1, 2, 3].map((n) => db.query('SELECT $1::int * 2 AS double', [n])));
  expect(answers.flat()).toEqual([{ double: 2 }, { double: 4 }, { double: 6 }]);
});

describe('a second database in the same file, with a schema of its own', () => {
  const other = useDatabase({ schema: 'CREATE TABLE invoice (id integer PRIMARY KEY)' });

  test('has another name and other tables', async () => {
    expect(other.name).not.toBe(db.name);
    expect(await other.query('SELECT * FROM invoice')).toEqual([]);
    await expect(other.query('SELECT * FROM account')).rejects.toMatchObject({ code: '42P01' });
  });
});

describe('defer()', () => {
  const order: string[] = [];

  test('runs in reverse order ...', () => {
    db.defer(() => order.push('first'));
    db.defer(() => order.push('second'));
    expect(order).toEqual([]);
  });

  test('... when the test is over', () => {
    expect(order).toEqual(['second', 'first']);
  });
});

describe('the leak check', () => {
  const sources = (pool?: TrackedPool) => ({
    ...db.leakSources(),
    pools: pool === undefined ? [] : [pool],
    graceMs: 0,
  });

  test('finds a client that was not released', async () => {
    const pool = new TrackedPool(new Pool({ connectionString: db.url }), 'here.ts:1:1');
    await pool.pool.connect();

    const found = await findLeaksOfTest(sources(pool));

    expect(found).toEqual([
      expect.stringMatching(/^client never released to the pool made at here.ts:1:1: pid \d+/),
    ]);
    expect(await findLentClients(sources(pool))).toEqual(found);
    await pool.end();
    expect(await findLentClients(sources(pool))).toEqual([]);
    expect(await findLeaksOfTest(db.leakSources())).toEqual([]);
  });

  test('finds a session inside a transaction, whoever opened it', async () => {
    const client = new Client({ connectionString: db.url, application_name: 'forgetful' });
    await client.connect();
    await client.query('BEGIN');
    await client.query('SELECT 42');

    expect(await findLeaksOfTest(sources())).toEqual([
      expect.stringMatching(
        /^left inside a transaction: pid \d+, idle in transaction, application "forgetful".*SELECT 42/,
      ),
    ]);
    await client.query('ROLLBACK');
    expect(await findLeaksOfTest(sources())).toEqual([]);
    expect(await findLeaksOfFile(sources())).toEqual([
      expect.stringMatching(/^still connected: pid \d+, idle/),
    ]);
    await client.end();
    expect(await findLeaksOfFile(db.leakSources())).toEqual([]);
  });

  test('finds a prepared transaction', async () => {
    const client = await db.client();
    await client.query('BEGIN');
    await client.query(`PREPARE TRANSACTION 'forgotten'`);
    expect(await findLeaksOfFile(sources())).toContain(
      `prepared transaction neither committed nor rolled back: 'forgotten'`,
    );
    await client.query(`ROLLBACK PREPARED 'forgotten'`);
  });

  test('names the line where the pool was made', () => {
    const pools = [...db.leakSources().pools].length;
    db.pool();
    const made = [...db.leakSources().pools];
    expect(made).toHaveLength(pools + 1);
    expect(made.at(-1)?.madeAt).toMatch(/database\.test\.ts:\d+:\d+$/);
  });
});
