import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type { Pool, PoolClient, PoolConfig } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import { managePool, runInTransaction, unmanagePool } from 'holdfast';
import type { FaultProxy } from '../harness/fault-proxy.js';
import { useDatabase } from '../harness/database.js';
import { useLog } from '../transaction/log.js';
import { everyWay, expectCleanPool, labelsIn } from './ways-in.js';

const db = useDatabase();
useLog();
const refused = { action: 'fail', sqlstate: '53000', message: 'no transaction for you' } as const;

let proxy: FaultProxy;
beforeEach(async () => {
  await db.truncate();
  proxy = await db.proxy();
});

const control = (text: string): boolean => /^(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)/.test(text);

describe.each(everyWay)('the server refuses BEGIN: $name', ({ way, opening }) => {
  test('the statement that travelled with it is not applied, and its error says why', async () => {
    const work = await way.start(db, { url: proxy.url(db.url), max: 1 });
    const begin = proxy.once(/^BEGIN/, refused);
    const outcome = opening.run(() => work.insert('never'));

    await expect(outcome).rejects.toThrow('no transaction for you');
    expect(begin.hits).toHaveLength(1);
    expect(await labelsIn(db)).toEqual([]);
    await opening.run(() => work.insert('next'));
    expect(await labelsIn(db)).toEqual(['next']);
    await expectCleanPool(work.pool, db);
  });

  test('swallowed: what follows is refused, nothing runs by itself, and the caller is told', async () => {
    const work = await way.start(db, { url: proxy.url(db.url), max: 1 });
    proxy.once(/^BEGIN/, refused);
    const later: unknown[] = [];
    const outcome = opening.run(
      async () => {
        await work.insert('first').catch(() => undefined);
        await work.insert('second').catch((error: unknown) => later.push(error));
        return 'fine';
      },
      { name: 'careless' },
    );

    await expect(outcome).rejects.toMatchObject({
      code: 'UNEXPECTED_ROLLBACK',
      message: expect.stringMatching(
        /^"careless" returned, but its work was rolled back: the server had no transaction open after a statement had failed/,
      ),
    });
    expect(later).toMatchObject([{ code: 'TRANSACTION_CLOSED' }]);
    expect(await labelsIn(db)).toEqual([]);
    await work.insert('after');
    expect(await labelsIn(db)).toEqual(['after']);
    await expectCleanPool(work.pool, db);
  });

  test('statements that were asked for at the same time are refused too', async () => {
    const work = await way.start(db, { url: proxy.url(db.url), max: 1 });
    proxy.once(/^BEGIN/, refused);
    const outcome = opening.run(async () => {
      await Promise.allSettled([work.insert('a'), work.insert('b'), work.insert('c')]);
    });

    await expect(outcome).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK' });
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('the session dies at BEGIN: the connection is destroyed, the next call gets another', async () => {
    const work = await way.start(db, { url: proxy.url(db.url), max: 1 });
    await work.pid();
    proxy.once(/^BEGIN/, { ...refused, severity: 'FATAL' });

    await expect(opening.run(() => work.insert('never'))).rejects.toThrow('no transaction for you');
    expect(await labelsIn(db)).toEqual([]);
    await opening.run(() => work.insert('next'));
    expect(await labelsIn(db)).toEqual(['next']);
    await expectCleanPool(work.pool, db);
  });

  test('SAVEPOINT is refused: neither the nested statement nor the rest is applied', async () => {
    const work = await way.start(db, { url: proxy.url(db.url), max: 1 });
    proxy.once(/^SAVEPOINT/, refused);
    const outcome = opening.run(async () => {
      await work.insert('outer');
      await opening.run(() => work.insert('nested'), { propagation: 'NESTED' }).catch(() => undefined);
    });

    await expect(outcome).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK' });
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });
});

type First = readonly [kind: string, run: (pool: Pool) => Promise<unknown>];

const insert = "INSERT INTO entry (label) VALUES ('first')";
const returning = `${insert} RETURNING id`;

async function withClient(pool: Pool, use: (client: PoolClient) => Promise<unknown>): Promise<unknown> {
  const client = await pool.connect();
  try {
    return await use(client);
  } finally {
    client.release();
  }
}

const plainStatements: readonly First[] = [
  ['text', (pool) => pool.query(insert)],
  ['text that ends with a semicolon', (pool) => pool.query(`${insert};`)],
  ['text with a comment in front', (pool) => pool.query(`-- first\n${insert}`)],
  ['parameters', (pool) => pool.query('INSERT INTO entry (label) VALUES ($1)', ['first'])],
  [
    'a named statement',
    (pool) => pool.query({ name: 'add', text: 'INSERT INTO entry (label) VALUES ($1)', values: ['first'] }),
  ],
  ['several statements in one text', (pool) => pool.query(`SELECT 1; ${insert}`)],
  ['a semicolon in a string', (pool) => pool.query("INSERT INTO entry (label) VALUES ('fi;rst')")],
  ['rows as arrays', (pool) => pool.query({ text: returning, rowMode: 'array' })],
  [
    'a callback',
    (pool) =>
      new Promise((resolve, reject) => pool.query(insert, (error) => (error ? reject(error) : resolve(1)))),
  ],
];

const streams: readonly First[] = [
  ['a cursor', (pool) => withClient(pool, (client) => client.query(new Cursor(returning)).read(10))],
  [
    'a stream',
    (pool) =>
      withClient(pool, async (client) => {
        for await (const row of client.query(new QueryStream(returning))) expect(row).toBeDefined();
      }),
  ],
  [
    'COPY',
    (pool) =>
      withClient(pool, (client) =>
        pipeline(Readable.from(['first\n']), client.query(copyFrom('COPY entry (label) FROM STDIN'))),
      ),
  ],
];

describe.each<[string, PoolConfig, readonly First[]]>([
  ['a pool', {}, [...plainStatements, ...streams]],
  ['a pool in pipeline mode', { pipeline: true } as PoolConfig, plainStatements],
])('the first statement of %s', (_, config, statements) => {
  let pool: Pool;
  beforeEach(() => {
    pool = db.pool({ max: 1, ...config, connectionString: proxy.url(db.url) });
    pool.on('error', () => undefined);
    const managed = managePool(pool);
    db.defer(() => unmanagePool(managed));
  });

  test.each(statements)('is not applied when BEGIN fails: %s', async (__, run) => {
    proxy.once(/^BEGIN/, refused);

    await expect(runInTransaction(() => run(pool))).rejects.toMatchObject({ code: '53000' });
    expect(await labelsIn(db)).toEqual([]);
    await runInTransaction(() => run(pool));
    expect(await labelsIn(db)).toHaveLength(1);
    await expectCleanPool(pool, db);
  });

  test.each(statements)('is not applied when BEGIN fails and nobody listens: %s', async (__, run) => {
    proxy.once(/^BEGIN/, refused);
    const outcome = runInTransaction(() => run(pool).catch(() => undefined));

    await expect(outcome).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK', cause: { code: '53000' } });
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(pool, db);
  });

  test.each(statements)('runs inside the transaction: %s', async (__, run) => {
    await expect(
      runInTransaction(async () => {
        await run(pool);
        throw new Error('undo');
      }),
    ).rejects.toThrow('undo');

    const [first, ...rest] = proxy.texts.filter((text) => control(text));
    expect([first, ...rest]).toEqual(['BEGIN', 'ROLLBACK']);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(pool, db);
  });
});
