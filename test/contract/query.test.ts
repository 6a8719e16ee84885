import { create } from 'node:domain';
import { Query } from 'pg';
import type { QueryResult } from 'pg';
import { useDatabase } from '../harness/database.js';
import { called, poolMaker, poolRows, rowsOf } from './pool-rows.js';
import { queryStyles } from './query-styles.js';

const db = useDatabase();

type Answer = [error: Error | null | undefined, result: QueryResult];

describe.each(poolRows)('query() of a $row pool', (row) => {
  const make = poolMaker(db, row);

  test.each(queryStyles)('%s', async (_style, ask) => {
    const pool = make({ max: 1 });
    for (const round of [1, 2]) {
      const result = await ask(pool);
      expect({ round, rows: rowsOf(result) }).toEqual({ round, rows: [{ name: 'ada' }] });
      expect(result.command).toBe('SELECT');
    }
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 1]);
  });

  test('rowMode and types of a config are kept', async () => {
    const result = await make().query({
      text: 'SELECT 1 AS a, 2 AS b',
      rowMode: 'array',
      types: { getTypeParser: () => (raw: string) => `<${raw}>` },
    });
    expect(result.rows).toEqual([['<1>', '<2>']]);
  });

  test('several statements in one text give several results', async () => {
    const results = (await make().query('SELECT 1 AS a; SELECT 2 AS b')) as unknown as QueryResult[];
    expect(results.map(rowsOf)).toEqual([[{ a: 1 }], [{ b: 2 }]]);
  });

  test('in callback style nothing is returned', async () => {
    const pool = make();
    let returned: unknown = 'nothing yet';
    await called((callback) => {
      returned = pool.query('SELECT 1', callback);
    });
    expect(returned).toBeUndefined();
  });

  test('a failing query rejects with the error of the server, and its connection is not kept', async () => {
    const pool = make({ max: 1 });
    await expect(pool.query('SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' });
    expect([pool.totalCount, pool.idleCount]).toEqual([0, 0]);
    expect(rowsOf(await pool.query('SELECT 1 AS one'))).toEqual([{ one: 1 }]);
  });

  test('a failing query in callback style passes the error, and no result', async () => {
    const pool = make({ max: 1 });
    const [error, result] = await called<Answer>((callback) => pool.query('SELEC', callback));
    expect(error).toMatchObject({ code: '42601' });
    expect(result).toBeUndefined();
    expect(rowsOf(await pool.query('SELECT 1 AS one'))).toEqual([{ one: 1 }]);
  });

  test('many failing queries at once leave a pool that works', async () => {
    const pool = make({ max: 3 });
    const outcomes = await Promise.allSettled(Array.from({ length: 30 }, () => pool.query('SELEC')));
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
    expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([0, 0, 0]);
    expect(rowsOf(await pool.query('SELECT 1 AS one'))).toEqual([{ one: 1 }]);
  });

  test('a rejection has the stack of the caller', async () => {
    const pool = make();
    const askHere = async (): Promise<unknown> => pool.query('SELEC');
    await expect(askHere()).rejects.toMatchObject({
      stack: expect.stringContaining('query.test.ts') as unknown,
    });
  });

  test('null instead of a query rejects, or reaches the callback, and keeps no connection', async () => {
    const pool = make({ max: 1 });
    const nothing = null as unknown as string;
    await expect(pool.query(nothing)).rejects.toThrow('Client was passed a null or undefined query');
    const [error] = await called<Answer>((callback) => pool.query(nothing, callback));
    expect(error).toBeInstanceOf(TypeError);
    expect([pool.totalCount - pool.idleCount, pool.waitingCount]).toEqual([0, 0]);
  });

  test('a function in place of the query is called back with an error', async () => {
    const pool = make();
    const [error] = await called<[Error]>((callback) => pool.query(callback as unknown as string));
    expect(error.message).toBe('Passing a function as the first parameter to pool.query is not supported');
    expect(pool.totalCount).toBe(0);
  });

  test('a query that pg cannot serialise rejects and keeps no connection lent', async () => {
    const pool = make({ max: 1 });
    const circular: { self?: unknown } = {};
    circular.self = circular;
    await expect(pool.query('SELECT $1::text', [circular])).rejects.toThrow('circular');
    expect(rowsOf(await pool.query('SELECT 1 AS one'))).toEqual([{ one: 1 }]);
  });

  test('a submittable on a client is returned as it is', async () => {
    const client = await make().connect();
    const query = new Query("SELECT 'ada' AS name");
    const rows: unknown[] = [];
    query.on('row', (received: unknown) => rows.push(received));
    const ended = new Promise((resolve) => query.on('end', resolve));
    expect(client.query(query)).toBe(query);
    await ended;
    expect(rows).toEqual([{ name: 'ada' }]);
    client.release();
  });

  test('what a callback of query() throws is an uncaught exception, and the pool goes on', async () => {
    const pool = make({ max: 1 });
    const thrown = exceptionFrom(() =>
      pool.query('SELECT 1', () => {
        throw new Error('thrown by the callback');
      }),
    );
    await expect(thrown).resolves.toMatchObject({ message: 'thrown by the callback' });
    expect(rowsOf(await pool.query('SELECT 1 AS one'))).toEqual([{ one: 1 }]);
  });

  test('what a callback of connect() throws is an uncaught exception, and the pool goes on', async () => {
    const pool = make({ max: 1 });
    await pool.query('SELECT 1');
    const thrown = exceptionFrom(() =>
      pool.connect((_error, _client, done) => {
        done();
        throw new Error('thrown by the callback');
      }),
    );
    await expect(thrown).resolves.toMatchObject({ message: 'thrown by the callback' });
    expect(rowsOf(await pool.query('SELECT 1 AS one'))).toEqual([{ one: 1 }]);
  });

  test('queries at once use up to max connections and answer each caller', async () => {
    const pool = make({ max: 4 });
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => pool.query<{ n: number }>('SELECT $1::int AS n', [n])),
    );
    expect(answers.map(({ rows }) => rows[0]!.n)).toEqual(Array.from({ length: 40 }, (_, n) => n));
    expect(pool.totalCount).toBe(4);
  });
});

/** The exception that `start` leads to outside every promise; a rejection that nobody handles is none. */
function exceptionFrom(start: () => void): Promise<Error> {
  return new Promise((resolve) => {
    const domain = create();
    domain.on('error', resolve);
    domain.run(start);
  });
}
