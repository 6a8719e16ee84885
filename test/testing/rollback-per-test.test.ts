import {
  afterCommit,
  afterCompletion,
  afterRollback,
  beforeCommit,
  currentTransaction,
  runInTransaction,
} from 'holdfast';
import { rollbackPerTest } from 'holdfast/testing';
import { useDatabase } from '../harness/database.js';
import { committed, type Entries, entriesOn } from './entries.js';

const db = useDatabase();
let entries: Entries;

beforeAll(async () => {
  entries = entriesOn(db);
  await db.query(`INSERT INTO account (owner, balance) VALUES ('ada', 100)`);
});

rollbackPerTest();

const balance = async (): Promise<number> => {
  const { rows } = await entries.pool.query<{ balance: number }>('SELECT balance FROM account');
  return rows[0]!.balance;
};
const undone = new Error('undone');
const fail = (): never => {
  throw undone;
};

describe.each(['the first test', 'the next test'])('%s, in a describe below the call', () => {
  test('sees the fixtures and what it wrote itself, and nothing of it is kept', async () => {
    await entries.pool.query('UPDATE account SET balance = balance - 30');
    await entries.add('by itself');
    await runInTransaction(() => entries.add('in a transaction'));

    expect(await entries.list()).toEqual(['by itself', 'in a transaction']);
    expect(await balance()).toBe(70);
    expect(await committed(db)).toEqual([]);
  });
});

describe('a transaction of the application', () => {
  test('that fails undoes its own work only', async () => {
    await entries.add('before');
    await expect(runInTransaction(() => entries.add('inside').then(fail))).rejects.toBe(undone);
    await entries.add('after');

    expect(await entries.list()).toEqual(['before', 'after']);
  });

  test('has savepoints of its own', async () => {
    await runInTransaction(async () => {
      await entries.add('outer');
      await runInTransaction(() => entries.add('kept'), { propagation: 'NESTED' });
      await runInTransaction(() => entries.add('undone').then(fail), { propagation: 'NESTED' }).catch(
        () => undefined,
      );
    });

    expect(await entries.list()).toEqual(['outer', 'kept']);
  });

  test.each([
    ['committed', ['before commit', 'after commit', 'completed: committed'], async () => undefined],
    ['rolled back', ['after rollback', 'completed: rolled back'], async () => fail()],
  ])('that is %s has run its hooks when it ends', async (_, expected, end) => {
    const told: string[] = [];
    await runInTransaction(async () => {
      await entries.add('one');
      beforeCommit(() => told.push('before commit'));
      afterCommit(() => told.push('after commit'));
      afterRollback(() => told.push('after rollback'));
      afterCompletion((outcome) => told.push(`completed: ${outcome}`));
      await end();
    }).catch(() => undefined);

    expect(told).toEqual(expected);
  });

  test('sees in an after-commit hook what it committed, outside of it', async () => {
    let seen: unknown;
    await runInTransaction(async () => {
      await entries.add('one');
      afterCommit(async () => {
        seen = { transaction: currentTransaction(), entries: await entries.list() };
        await runInTransaction(() => entries.add('by the hook'));
      });
    });

    expect(seen).toEqual({ transaction: undefined, entries: ['one'] });
    expect(await entries.list()).toEqual(['one', 'by the hook']);
  });

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

  test('that is read-only cannot write, and one after it can', async () => {
    await entries.add('before');
    const readOnly = <T>(work: () => Promise<T>) => runInTransaction(work, { readOnly: true });

    expect(await readOnly(() => entries.list())).toEqual(['before']);
    await expect(readOnly(() => entries.add('inside'))).rejects.toMatchObject({ code: '25006' });
    await runInTransaction(() => entries.add('after'));
    expect(await entries.list()).toEqual(['before', 'after']);
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

describe('outside its transactions the application', () => {
  test('has statements that undo nothing but themselves when they fail', async () => {
    await entries.add('before');
    await expect(entries.pool.query('SELECT 1/0')).rejects.toMatchObject({ code: '22012' });
    await entries.add('after');

    expect(await entries.list()).toEqual(['before', 'after']);
  });

  test('is outside any', async () => {
    expect(currentTransaction()).toBeUndefined();
    await expect(
      runInTransaction(() => entries.add('one'), { propagation: 'MANDATORY' }),
    ).rejects.toMatchObject({ code: 'PROPAGATION' });
    for (const propagation of ['NEVER', 'SUPPORTS', 'NOT_SUPPORTED', 'REQUIRES_NEW'] as const) {
      await runInTransaction(() => entries.add(propagation), { propagation });
    }

    expect(await entries.list()).toEqual(['NEVER', 'SUPPORTS', 'NOT_SUPPORTED', 'REQUIRES_NEW']);
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
