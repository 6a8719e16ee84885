import Cursor from 'pg-cursor';
import type { Pool } from 'pg';
import { managePool, type ManagedPool, runInTransaction, unmanagePool } from 'holdfast';
import { expectNoOpenTransactions } from 'holdfast/testing';
import { labelsIn } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';
import type { FaultProxy } from '../harness/fault-proxy.js';

/** What a transaction may begin with that gets its connection behind the COMMIT of another. */
const db = useDatabase();
let proxy: FaultProxy;
let pool: Pool;
let managed: ManagedPool | undefined;

/** In place of the one before. */
const poolOf = (options: object = {}): Pool => {
  if (managed) unmanagePool(managed);
  pool = db.pool({ connectionString: proxy.url(db.url), max: 1, ...options });
  managed = managePool(pool);
  return pool;
};

beforeEach(async () => {
  await db.truncate();
  proxy = await db.proxy();
  poolOf();
});

const insert = (label: string): Promise<unknown> => runInTransaction(() => write(label));
const write = (label: string): Promise<unknown> =>
  pool.query('INSERT INTO entry (label) VALUES ($1)', [label]);

const circular: { self?: object } = {};
circular.self = circular;

test.each<[string, (on: Pool) => Promise<unknown>, unknown]>([
  [
    'a text of two statements',
    (on) =>
      on
        .query('SELECT 1 AS n; SELECT 2 AS n')
        .then((all) => (all as unknown as { rows: object[] }[])[1]!.rows),
    [{ n: 2 }],
  ],
  [
    'a named statement',
    (on) => on.query({ name: 'three', text: 'SELECT 3 AS n' }).then(({ rows }) => rows as unknown),
    [{ n: 3 }],
  ],
  [
    'an object as a value',
    (on) => on.query("SELECT $1::json -> 'a' AS n", [{ a: 4 }]).then(({ rows }) => rows as unknown),
    [{ n: 4 }],
  ],
  [
    'a date, bytes, null and an array',
    (on) =>
      on
        .query('SELECT $1::date AS d, $2::bytea AS b, $3::int AS n, $4::int[] AS a', [
          new Date(0),
          Buffer.from('x'),
          null,
          [1, 2],
        ])
        .then(({ rows }) => rows as unknown),
    [expect.objectContaining({ b: Buffer.from('x'), n: null, a: [1, 2] })],
  ],
  [
    'a cursor',
    async (on) => {
      const client = await on.connect();
      const cursor = client.query(new Cursor<{ n: number }>('SELECT generate_series(1, 3) AS n'));
      const rows = [...(await cursor.read(2)), ...(await cursor.read(2))];
      await cursor.close();
      client.release();
      return rows;
    },
    [{ n: 1 }, { n: 2 }, { n: 3 }],
  ],
  [
    'what the server refuses',
    (on) => on.query('SELECT 1/0').catch(({ code }: { code: string }) => code),
    '22012',
  ],
  [
    'a value that cannot be sent',
    (on) => on.query('SELECT $1::json', [circular]).catch(({ name }: Error) => name),
    'TypeError',
  ],
])('%s is what the next in line begins with', async (_, first, expected) => {
  const commit = proxy.once(/^COMMIT$/, { action: 'hold' });
  const ahead = insert('ahead');
  let answered: unknown;
  const behind = runInTransaction(async () => {
    answered = await first(pool);
    await write('behind');
  }).then(
    () => 'committed',
    () => 'rolled back',
  );
  await commit.fired;
  commit.release();
  await ahead;
  const outcome = await behind;
  expect(answered).toEqual(expected);
  expect(await labelsIn(db)).toEqual(outcome === 'committed' ? ['ahead', 'behind'] : ['ahead']);
  expect(outcome).toBe(expected === '22012' ? 'rolled back' : 'committed');
  expectNoOpenTransactions();
  expect([pool.totalCount, pool.idleCount]).toEqual([1, 1]);
});

test('with pipeline: true, and with a query_timeout, which would drop a statement from its queue', async () => {
  for (const options of [{ pipeline: true }, { query_timeout: 60_000 }]) {
    poolOf(options);
    await Promise.all(['one', 'two', 'three'].map(insert));
  }
  expect(await labelsIn(db)).toEqual(['one', 'two', 'three', 'one', 'two', 'three']);
});

test('what the application does when a connection is lent comes before the statements of its holder', async () => {
  pool.on('acquire', (client) => void client.query('SET application_name = lent'));
  proxy.forget();
  await Promise.all(['one', 'two'].map(insert));
  const order = proxy.texts.filter((text) => /^(?:SET|BEGIN|COMMIT)/.test(text));
  expect(order).toEqual([
    'SET application_name = lent',
    'BEGIN',
    'COMMIT',
    'SET application_name = lent',
    'BEGIN',
    'COMMIT',
  ]);
});
