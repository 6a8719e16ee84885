import { Readable } from 'node:stream';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { on, once } from 'node:events';
import Cursor from 'pg-cursor';
import type { PoolClient, Submittable } from 'pg';
import QueryStream from 'pg-query-stream';
import { useDatabase } from '../harness/database.js';
import { poolMaker, poolRows } from './pool-rows.js';

const db = useDatabase();
const copy = jest.requireActual<{
  from(sql: string): Writable & Submittable;
  to(sql: string): Readable & Submittable;
}>('pg-copy-streams');

describe.each(poolRows)('streams on the clients of a $row pool', (row) => {
  const make = poolMaker(db, row);
  let client: PoolClient;
  beforeEach(async () => void (client = await make({ max: 1 }).connect()));
  afterEach(async () => {
    // Fails where a stream left its client unusable.
    await client.query('SELECT 1');
    client.release();
  });

  describe('pg-cursor', () => {
    const series = () => new Cursor<{ n: number }>('SELECT n FROM generate_series(1, $1::int) AS n', [5]);

    test('is what query() returns, and reads in pages', async () => {
      const cursor = series();
      expect(client.query(cursor)).toBe(cursor);
      const pages: number[][] = [];
      for (let page = await cursor.read(2); page.length > 0; page = await cursor.read(2)) {
        pages.push(page.map(({ n }) => n));
      }
      expect(pages).toEqual([[1, 2], [3, 4], [5]]);
    });

    test('callbacks, and a close before the end', async () => {
      const cursor = client.query(series());
      const rows = await new Promise((resolve, reject) =>
        cursor.read(2, (error, read) => (error ? reject(error) : resolve(read))),
      );
      expect(rows).toEqual([{ n: 1 }, { n: 2 }]);
      await cursor.close();
    });

    test('rejects with the error of the server', async () => {
      const cursor = client.query(new Cursor('SELECT 1 / n FROM generate_series(0, 3) AS n'));
      await expect(cursor.read(10)).rejects.toMatchObject({ code: '22012' });
    });
  });

  describe('pg-query-stream', () => {
    test('streams all rows', async () => {
      const stream = client.query(
        new QueryStream('SELECT n FROM generate_series(1, 250) AS n', [], { batchSize: 100 }),
      );
      const rows: unknown[] = [];
      for await (const read of stream) rows.push(read);
      expect(rows).toHaveLength(250);
      expect(rows.at(-1)).toEqual({ n: 250 });
    });

    test('destroyed in the middle, the client can be used again', async () => {
      const stream = client.query(
        new QueryStream('SELECT n FROM generate_series(1, 1000) AS n', [], { batchSize: 10 }),
      );
      for await (const read of stream) {
        expect(read).toEqual({ n: 1 });
        break;
      }
      expect(stream.destroyed).toBe(true);
    });
  });

  describe('pg-copy-streams', () => {
    beforeEach(() => client.query('CREATE TEMP TABLE item (id int, name text)'));
    afterEach(() => client.query('DROP TABLE item'));

    test('into a table', async () => {
      const stream = client.query(copy.from('COPY item FROM STDIN'));
      await pipeline(Readable.from(['1\ta\n', '2\tb\n']), stream);
      const { rows } = await client.query('SELECT * FROM item ORDER BY id');
      expect(rows).toEqual([
        { id: 1, name: 'a' },
        { id: 2, name: 'b' },
      ]);
    });

    test('out of a table', async () => {
      await client.query("INSERT INTO item VALUES (1, 'a'), (2, 'b')");
      const chunks: string[] = [];
      for await (const chunk of client.query(copy.to('COPY item TO STDOUT'))) chunks.push(String(chunk));
      expect(chunks.join('')).toBe('1\ta\n2\tb\n');
    });

    test('a line that the table refuses fails the stream', async () => {
      const stream = client.query(copy.from('COPY item FROM STDIN'));
      await expect(pipeline(Readable.from(['no number\tb\n']), stream)).rejects.toMatchObject({
        code: '22P02',
      });
    });
  });

  describe('LISTEN', () => {
    test('a client that is held hears notifications of others, one after another', async () => {
      await client.query('LISTEN news');
      const heard: (string | undefined)[] = [];
      const notifications = on(client, 'notification');
      for (const payload of ['first', 'second']) await db.query("SELECT pg_notify('news', $1)", [payload]);
      for await (const [notification] of notifications as AsyncIterable<[{ payload?: string }]>) {
        if (heard.push(notification.payload) === 2) break;
      }
      expect(heard).toEqual(['first', 'second']);
      await client.query('UNLISTEN *');
      expect(client.listenerCount('notification')).toBe(0);
    });

    test('events.once works on it, and the pool serves others meanwhile', async () => {
      const pool = make({ max: 2 });
      const listener = await pool.connect();
      await listener.query('LISTEN news');
      const [[heard]] = await Promise.all([
        once(listener, 'notification') as Promise<[{ channel: string }]>,
        pool.query("SELECT pg_notify('news', '')"),
      ]);
      expect(heard.channel).toBe('news');
      listener.release(true);
    });
  });
});
