import { Readable } from 'node:stream';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Client } from 'pg';
import type { Pool, PoolClient, QueryResult, Submittable } from 'pg';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import { managePool, runInTransaction, unmanagePool, type ManagedPool } from 'holdfast';
import { called } from '../contract/pool-rows.js';
import { queryStyles, type Queryable } from '../contract/query-styles.js';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
const copy = jest.requireActual<{
  from(sql: string): Writable & Submittable;
  to(sql: string): Readable & Submittable;
}>('pg-copy-streams');

class OwnPromise<T> extends Promise<T> {}

let pool: Pool;
let managed: ManagedPool;
beforeEach(() => {
  pool = db.pool({ max: 2 });
  managed = managePool(pool);
});
afterEach(async () => {
  unmanagePool(managed);
  await db.truncate();
});

const pidOf = async (queryable: Queryable): Promise<number> =>
  (await queryable.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid;

/** Runs `work` in a transaction with each way to a queryable; everything must be on its one connection. */
async function inTransaction(work: (queryable: Queryable) => Promise<void>, way: string): Promise<void> {
  await runInTransaction(async () => {
    if (way === 'the pool') return work(pool);
    const client =
      way === 'connect()'
        ? await pool.connect()
        : await new Promise<PoolClient>((resolve, reject) => {
            pool.connect((error, lent) => (lent ? resolve(lent) : reject(error ?? new Error('no client'))));
          });
    await work(client);
    client.release();
  });
  expect(managed.counts()).toMatchObject({ total: 1, idle: 1 });
}

const ways = ['the pool', 'connect()', 'connect(callback)'];

describe.each(ways)('a query inside a transaction through %s', (way) => {
  test.each(queryStyles)('%s', async (_style, ask) => {
    await inTransaction(async (queryable) => {
      const before = await pidOf(pool);
      for (const round of [1, 2]) {
        const result = await ask(queryable);
        expect({ round, rows: result.rows as unknown[] }).toEqual({ round, rows: [{ name: 'ada' }] });
      }
      expect(await pidOf(queryable)).toBe(before);
    }, way);
  });

  test('several at once are answered in order, without a second connection', async () => {
    await inTransaction(async (queryable) => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => queryable.query<{ n: number }>('SELECT $1::int AS n', [n])),
      );
      expect(answers.map(({ rows }) => rows[0]!.n)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    }, way);
  });

  test('a cursor reads in pages', async () => {
    await inTransaction(async (queryable) => {
      const cursor = new Cursor<{ n: number }>('SELECT n FROM generate_series(1, 3) AS n');
      expect(queryable.query(cursor)).toBe(cursor);
      expect(await cursor.read(2)).toEqual([{ n: 1 }, { n: 2 }]);
      expect(await cursor.read(2)).toEqual([{ n: 3 }]);
      await cursor.close();
      expect((await queryable.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    }, way);
  });

  test('a query stream sees the rows of the transaction', async () => {
    await inTransaction(async (queryable) => {
      await queryable.query("INSERT INTO entry (label) SELECT 'l' || n FROM generate_series(1, 120) AS n");
      const rows: unknown[] = [];
      const stream = queryable.query(new QueryStream('SELECT label FROM entry ORDER BY id'));
      for await (const read of stream) rows.push(read);
      expect([rows.length, rows.at(-1)]).toEqual([120, { label: 'l120' }]);
    }, way);
  });

  test('COPY in both directions is part of the transaction', async () => {
    await inTransaction(async (queryable) => {
      await pipeline(
        Readable.from(['a\n', 'b\n']),
        queryable.query(copy.from('COPY entry (label) FROM STDIN')),
      );
      const chunks: string[] = [];
      const out = queryable.query(copy.to('COPY (SELECT label FROM entry ORDER BY id) TO STDOUT'));
      for await (const chunk of out) chunks.push(String(chunk));
      expect(chunks.join('')).toBe('a\nb\n');
      expect(await db.query('SELECT 1 FROM entry')).toEqual([]);
    }, way);
    expect(await db.query('SELECT label FROM entry ORDER BY id')).toEqual([{ label: 'a' }, { label: 'b' }]);
  });
});

describe('bad queries inside a transaction', () => {
  test('null rejects from the pool, as outside, and the transaction goes on', async () => {
    await runInTransaction(async () => {
      const nothing = null as unknown as string;
      await expect(pool.query(nothing)).rejects.toThrow('Client was passed a null or undefined query');
      const [error] = await called<[Error, QueryResult]>((callback) => pool.query(nothing, callback));
      expect(error).toBeInstanceOf(TypeError);
      await pool.query("INSERT INTO entry (label) VALUES ('kept')");
    });
    expect(await db.query('SELECT label FROM entry')).toEqual([{ label: 'kept' }]);
    expect(managed.counts()).toMatchObject({ total: 1 });
  });

  test('a function in place of the query is called back with an error, and takes no connection', async () => {
    await runInTransaction(async () => {
      const [error] = await called<[Error]>((callback) => pool.query(callback as unknown as string));
      expect(error.message).toContain('Passing a function as the first parameter');
    });
    expect(managed.counts()).toMatchObject({ total: 0 });
  });
});

describe('a client lent inside a transaction', () => {
  const withClient = (work: (client: PoolClient) => Promise<void> | void): Promise<void> =>
    runInTransaction(async () => {
      const client = await pool.connect();
      await work(client);
      client.release();
    });

  test('is a Client, with its connection’s properties and chained listeners', async () => {
    await withClient(async (client) => {
      expect(client).toBeInstanceOf(Client);
      expect(client.constructor).toBe(Client);
      expect((client as unknown as { processID: number }).processID).toBe(await pidOf(client));
      const notices: unknown[] = [];
      const listener = (notice: { message: string | undefined }): void => void notices.push(notice.message);
      expect(client.on('notice', listener)).toBe(client);
      await client.query("DO $$ BEGIN RAISE NOTICE 'heard'; END $$");
      expect(client.off('notice', listener)).toBe(client);
      await client.query("DO $$ BEGIN RAISE NOTICE 'unheard'; END $$");
      expect(notices).toEqual(['heard']);
    });
  });

  test('keeps what is written on it for the next holder of the connection', async () => {
    const tag = (): string => 'kept';
    await withClient((client) => void Object.assign(client, { tag, gone: 1 }));
    await withClient((client) => void Reflect.deleteProperty(client, 'gone'));
    const client = (await pool.connect()) as PoolClient & { tag: unknown };
    expect(client.tag).toBe(tag);
    expect('gone' in client).toBe(false);
    client.release();
  });

  test('hears notifications after the commit of the transaction that sent them', async () => {
    const listener = await pool.connect();
    await listener.query('LISTEN news');
    const heard = called<[{ payload?: string }]>((callback) => listener.once('notification', callback));
    await runInTransaction(() => pool.query("SELECT pg_notify('news', 'committed')"));
    expect((await heard)[0].payload).toBe('committed');
    listener.release(true);
  });

  test('query and release can be replaced by its holder', async () => {
    await withClient(async (client) => {
      const texts: unknown[] = [];
      const query = client.query as (...args: unknown[]) => unknown;
      Object.assign(client, {
        query: (...args: unknown[]) => {
          texts.push(args[0]);
          return query.apply(client, args);
        },
      });
      await client.query('SELECT 1');
      expect(texts).toEqual(['SELECT 1']);
    });
  });

  test('end() is refused: the transaction owns the connection', async () => {
    await withClient((client) => {
      expect(() => (client as unknown as Client).end()).toThrow('client.end() inside a transaction');
    });
  });
});

test('promises of the pool’s option Promise inside a transaction too', async () => {
  unmanagePool(managed);
  pool = db.pool({ Promise: OwnPromise });
  managed = managePool(pool);
  await runInTransaction(async () => {
    const connected = pool.connect();
    expect(connected).toBeInstanceOf(OwnPromise);
    (await connected).release();
    const queried = pool.query('SELECT 1');
    expect(queried).toBeInstanceOf(OwnPromise);
    await queried;
  });
});

test('pool.end() inside a transaction lets the transaction finish', async () => {
  let ended: Promise<void> | undefined;
  await runInTransaction(async () => {
    await pool.query("INSERT INTO entry (label) VALUES ('first')");
    ended = pool.end();
    await pool.query("INSERT INTO entry (label) VALUES ('second')");
  });
  await ended;
  expect(await db.query('SELECT label FROM entry ORDER BY id')).toEqual([
    { label: 'first' },
    { label: 'second' },
  ]);
});
