import { managePool, runInTransaction, unmanagePool } from 'holdfast';
import type { Pool } from 'pg';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
let pool: Pool;

beforeEach(() => {
  pool = db.pool({ max: 2 });
  const managed = managePool(pool);
  db.defer(() => unmanagePool(managed));
});
afterEach(() => db.truncate());

/** Reads a part of a large result, and leaves the cursor as it is. */
async function openCursor(): Promise<Cursor> {
  await pool.query("INSERT INTO entry (label) VALUES ('a')");
  const client = await pool.connect();
  const cursor = client.query(new Cursor('SELECT generate_series(1, 10000)'));
  expect(await cursor.read(2)).toHaveLength(2);
  client.release();
  return cursor;
}

const propagations = ['REQUIRED', 'NESTED'] as const;

describe.each(propagations)('a %s method that leaves a cursor open', (propagation) => {
  const run = (work: () => Promise<unknown>): Promise<unknown> =>
    runInTransaction(() => runInTransaction(work, { propagation, name: 'inner' }), { name: 'outer' });

  test('and returns, is told so and rolled back', async () => {
    const failure = await run(openCursor).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'UNEXPECTED_ROLLBACK',
      cause: { message: expect.stringMatching(/cursor.*still open.*read it to its end or close it/) },
    });
    expect(await db.query('SELECT label FROM entry')).toEqual([]);
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  test('and throws, is rolled back with its own error', async () => {
    const failing = run(async () => {
      await openCursor();
      throw new Error('its own');
    });
    await expect(failing).rejects.toThrow('its own');
    expect(await db.query('SELECT label FROM entry')).toEqual([]);
  });

  test('and closes it without awaiting that, is committed', async () => {
    await run(async () => void (await openCursor()).close());
    expect(await db.query('SELECT label FROM entry')).toEqual([{ label: 'a' }]);
  });
});

describe('a row stream that nobody reads, of a method that has returned', () => {
  const open = async (): Promise<void> => {
    const client = await pool.connect();
    client.query(new QueryStream('SELECT * FROM generate_series(1, 1000)'));
  };
  const cutOff = { code: 'UNEXPECTED_ROLLBACK', cause: { message: expect.stringMatching(/still open/) } };

  test('as its first statement, is cut off and told', async () => {
    await expect(runInTransaction(open)).rejects.toMatchObject(cutOff);
  });

  test('behind a statement that was not awaited, is cut off and told', async () => {
    const work = async (): Promise<void> => {
      void add('a');
      await open();
    };
    await expect(runInTransaction(work)).rejects.toMatchObject(cutOff);
    expect(await db.query('SELECT label FROM entry')).toEqual([]);
  });

  test('of a NESTED method that throws, is cut off, and the method’s own error is told', async () => {
    const nested = async (): Promise<void> => {
      await open();
      throw new Error('its own');
    };
    const outer = runInTransaction(() => runInTransaction(nested, { propagation: 'NESTED' }));
    await expect(outer).rejects.toThrow('its own');
  });
});

function add(label: string): Promise<unknown> {
  return pool.query('INSERT INTO entry (label) VALUES ($1)', [label]);
}
