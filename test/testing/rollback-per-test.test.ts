import { runInTransaction } from 'holdfast';
import { rollbackPerTest } from 'holdfast/testing';
import { useDatabase } from '../harness/database.js';
import { type Entries, entriesOn } from './entries.js';

const db = useDatabase();
let entries: Entries;

beforeAll(() => {
  entries = entriesOn(db);
});

rollbackPerTest();

describe('a transaction of the application', () => {
  test('whose error is swallowed rejects as it does without the test', async () => {
    const swallows = runInTransaction(async () => {
      await entries.add('one');
      await entries.pool.query('SELECT 1/0').catch(() => undefined);
    });

    await expect(swallows).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK' });
    expect(await entries.list()).toEqual([]);
  });

  test('that runs too long is cancelled, and the test goes on', async () => {
    await entries.add('before');
    const slow = runInTransaction(
      async () => {
        await entries.add('inside');
        await entries.pool.query('SELECT pg_sleep(60)');
      },
      { timeoutMs: 50 },
    );

    await expect(slow).rejects.toMatchObject({ code: 'TRANSACTION_TIMEOUT' });
    expect(await entries.list()).toEqual(['before']);
  });

  test('is run again after an error that says so', async () => {
    let runs = 0;
    await runInTransaction(
      async () => {
        await entries.add(`run ${++runs}`);
        if (runs < 3) await entries.pool.query(`DO $$ BEGIN RAISE SQLSTATE '40001'; END $$`);
      },
      { retry: { attempts: 3, backoffMs: 1 } },
    );

    expect(await entries.list()).toEqual(['run 3']);
  });
});

describe('deferred constraints', () => {
  const child = (id: number): Promise<unknown> =>
    entries.pool.query('INSERT INTO child (id, parent_id) VALUES ($1, $1)', [id]);
  const parent = (id: number): Promise<unknown> =>
    entries.pool.query('INSERT INTO parent (id) VALUES ($1)', [id]);
  const children = async (): Promise<number> => (await entries.pool.query('SELECT FROM child')).rowCount!;

  test('are checked at the COMMIT of the application', async () => {
    const orphan = runInTransaction(() => child(1));

    await expect(orphan).rejects.toMatchObject({ code: '23503' });
    expect(await children()).toBe(0);
  });

  test('wait for that COMMIT, in the second transaction as in the first', async () => {
    for (const id of [1, 2]) {
      await runInTransaction(async () => {
        await child(id);
        await parent(id);
      });
    }

    expect(await children()).toBe(2);
  });

  test('are checked after a statement outside a transaction', async () => {
    await expect(child(1)).rejects.toMatchObject({ code: '23503' });
    expect(await children()).toBe(0);
  });

  test('that are declared immediate stay so', async () => {
    await entries.pool.query(
      'CREATE TABLE tag (id integer UNIQUE DEFERRABLE INITIALLY IMMEDIATE, name text); INSERT INTO tag VALUES (1, NULL)',
    );
    await runInTransaction(() => entries.pool.query('SET CONSTRAINTS ALL DEFERRED'));

    let reached = false;
    const twice = runInTransaction(async () => {
      await entries.pool.query('INSERT INTO tag VALUES (1, NULL)');
      reached = true;
    });

    await expect(twice).rejects.toMatchObject({ code: '23505' });
    expect(reached).toBe(false);
  });
});

describe('a client of the pool', () => {
  test.each([
    ['COMMIT', ['before', 'inside', 'after']],
    ['ROLLBACK', ['before', 'after']],
  ])('that sends BEGIN and %s by hand', async (end, expected) => {
    const client = await entries.pool.connect();
    const add = (label: string) => client.query('INSERT INTO entry (label) VALUES ($1)', [label]);
    await add('before');
    await client.query('BEGIN');
    await add('inside');
    await client.query(end);
    await add('after');
    client.release();

    expect(await entries.list()).toEqual(expected);
  });

  test('can end what it has not begun, as PostgreSQL lets it', async () => {
    const client = await entries.pool.connect();
    await client.query('COMMIT');
    await client.query('ROLLBACK');
    client.release();

    await entries.add('one');
    expect(await entries.list()).toEqual(['one']);
  });

  test('that is released inside its BEGIN leaves the turn to others', async () => {
    const client = await entries.pool.connect();
    await client.query('BEGIN');
    await client.query(`INSERT INTO entry (label) VALUES ('lost')`);
    client.release();

    await entries.add('one');
    expect(await entries.list()).toEqual(['one']);
  });

  test('whose transaction has failed rolls back at COMMIT', async () => {
    const client = await entries.pool.connect();
    await client.query('BEGIN');
    await client.query(`INSERT INTO entry (label) VALUES ('lost')`);
    await expect(client.query('SELECT 1/0')).rejects.toMatchObject({ code: '22012' });
    await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' });
    await client.query('COMMIT');
    client.release();

    expect(await entries.list()).toEqual([]);
  });

  test('takes statements that nobody awaits in the order of asking', async () => {
    const client = await entries.pool.connect();
    const answers = ['BEGIN', `INSERT INTO entry (label) VALUES ('one')`, 'COMMIT'].map((text) =>
      client.query(text),
    );
    await Promise.all(answers);
    client.release();

    expect(await entries.list()).toEqual(['one']);
  });
});
