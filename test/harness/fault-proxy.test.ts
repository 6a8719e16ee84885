import { Client } from 'pg';
import type { PoolConfig } from 'pg';
import Cursor from 'pg-cursor';
import { useDatabase } from './database.js';
import type { FaultProxy } from './fault-proxy.js';
import { frontend, sendRaw } from './raw-pipeline.js';

const db = useDatabase();
let proxy: FaultProxy;

beforeEach(async () => {
  proxy = await db.proxy();
  await db.truncate();
});

async function open(): Promise<Client> {
  const client = new Client({ connectionString: proxy.url(db.url) });
  client.on('error', () => undefined);
  await client.connect();
  db.defer(() => client.end());
  return client;
}

const labels = async () =>
  (await db.query('SELECT label FROM entry ORDER BY id')).map(({ label }) => label as string);
const insert = (label: string) => `INSERT INTO entry (label) VALUES ('${label}')`;

describe('what it records', () => {
  test('statements in order, with protocol, connection, pid and outcome', async () => {
    const [one, two] = [await open(), await open()];
    await one.query('BEGIN');
    await two.query('SELECT $1::int', [7]);
    await one.query('SELECT nonsense').catch(() => undefined);
    await one.query('ROLLBACK');

    expect(proxy.statements).toMatchObject([
      { text: 'BEGIN', connection: 1, protocol: 'simple', outcome: 'completed', tag: 'BEGIN' },
      { text: 'SELECT $1::int', connection: 2, protocol: 'extended', outcome: 'completed', tag: 'SELECT 1' },
      { text: 'SELECT nonsense', connection: 1, outcome: 'failed', sqlstate: '42703' },
      { text: 'ROLLBACK', connection: 1, outcome: 'completed' },
    ]);
    expect(proxy.statements[0]?.pid).toBe((one as unknown as { processID: number }).processID);
    expect(proxy.openConnections).toBe(2);
  });

  test('a prepared statement is recorded at each execution', async () => {
    const client = await open();
    for (const n of [1, 2]) await client.query({ name: 'twice', text: 'SELECT $1::int', values: [n] });
    expect(proxy.texts).toEqual(['SELECT $1::int', 'SELECT $1::int']);
  });

  test('one flight for each wait of the client: a pipeline is one, however many statements it has', async () => {
    const client = await open();
    expect(proxy.flights).toBe(0);

    await sendRaw(client, [frontend.statement('BEGIN'), frontend.statement(insert('one')), frontend.sync()]);
    expect(proxy.flights).toBe(1);
    expect(proxy.statements.map(({ flight }) => flight)).toEqual([1, 1]);

    await client.query('COMMIT');
    expect(proxy.flights).toBe(2);
    expect(proxy.statements.at(-1)).toMatchObject({ text: 'COMMIT', flight: 2 });

    proxy.forget();
    expect(proxy.flights).toBe(0);
    expect(proxy.texts).toEqual([]);
    await client.end();
    expect(proxy.flights).toBe(0);
  });

  test('the pipeline mode of pg: statements that did not wait for each other share a flight', async () => {
    proxy.delay({ toClientMs: 5 });
    const pool = db.pool({ connectionString: proxy.url(db.url), max: 1, pipeline: true } as PoolConfig);
    const client = await pool.connect();
    await Promise.all([
      client.query('BEGIN'),
      client.query('INSERT INTO entry (label) VALUES ($1)', ['one']),
    ]);
    expect(proxy.statements.map(({ flight }) => flight)).toEqual([1, 1]);
    await client.query('COMMIT');
    client.release();
    expect(proxy.flights).toBe(2);
    expect(await labels()).toEqual(['one']);
  });

  test('statements that the server skipped after an error in their pipeline', async () => {
    const client = await open();
    await sendRaw(client, [
      frontend.statement('SELECT nonsense'),
      frontend.statement(insert('one')),
      frontend.sync(),
    ]);
    expect(proxy.statements).toMatchObject([
      { text: 'SELECT nonsense', outcome: 'failed', sqlstate: '42703' },
      { text: insert('one'), outcome: 'skipped' },
    ]);
    expect(await labels()).toEqual([]);
  });
});

describe('the byte stream', () => {
  test.each([1, 2, 3, 7])('messages in slices of %i bytes', async (sliceBytes) => {
    const client = await open();
    const pipeline = [frontend.statement('BEGIN'), frontend.statement(insert('sliced')), frontend.sync()];
    expect(await sendRaw(client, [...pipeline, frontend.query('COMMIT')], { sliceBytes })).toEqual([
      'parseComplete',
      'bindComplete',
      'commandComplete BEGIN',
      'parseComplete',
      'bindComplete',
      'commandComplete INSERT 0 1',
      'readyForQuery T',
      'commandComplete COMMIT',
      'readyForQuery I',
    ]);
    expect(proxy.texts).toEqual(['BEGIN', insert('sliced'), 'COMMIT']);
    expect(await labels()).toEqual(['sliced']);
  });

  test('answers and statements larger than any chunk', async () => {
    const client = await open();
    const text = 'x'.repeat(3_000_000);
    const { rows } = await client.query('SELECT $1::text AS text, repeat($1, 2) AS twice', [text]);
    expect(rows[0].text).toHaveLength(3_000_000);
    expect(rows[0].twice).toHaveLength(6_000_000);
  });

  test('COPY passes in both directions', async () => {
    const client = await open();
    const copyIn = [
      frontend.query('COPY parent FROM STDIN'),
      frontend.copyData('1\n2\n'),
      frontend.copyDone(),
    ];
    await sendRaw(client, copyIn);
    await sendRaw(client, [frontend.query('COPY parent TO STDOUT')]);
    expect(proxy.statements.map(({ tag }) => tag)).toEqual(['COPY 2', 'COPY 2']);
  });

  test('a cursor that fetches in portions is one statement', async () => {
    const client = await open();
    const cursor = client.query(new Cursor<{ n: number }>('SELECT n FROM generate_series(1, 5) n'));
    expect(await cursor.read(3)).toHaveLength(3);
    expect(await cursor.read(3)).toHaveLength(2);
    await cursor.close();
    await client.query('SELECT 1');
    expect(proxy.statements.map(({ outcome }) => outcome)).toEqual(['completed', 'completed']);
  });

  test('a cancel request reaches the server', async () => {
    const client = await open();
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    const running = client.query('SELECT pg_sleep(30)');
    await db.query(`SELECT count(*) FROM pg_stat_activity, pg_sleep(0.05) WHERE pid = $1`, [processID]);
    const canceller = new Client({ connectionString: proxy.url(db.url) }) as unknown as {
      connection: {
        connect(port: number, host: string): void;
        once(event: string, act: () => void): void;
      } & {
        cancel(pid: number, key: number): void;
      };
    };
    const { hostname, port } = new URL(proxy.url(db.url));
    canceller.connection.once('connect', () => canceller.connection.cancel(processID, secretKey));
    canceller.connection.connect(Number(port), hostname);
    await expect(running).rejects.toMatchObject({ code: '57014' });
  });
});

describe('an error in place of a statement', () => {
  const fail = { action: 'fail', sqlstate: '57P03', message: 'not today' } as const;

  test('simple: the client gets it, the server never sees the statement', async () => {
    const client = await open();
    const fault = proxy.once(/^begin/i, fail);

    await expect(client.query('BEGIN')).rejects.toMatchObject({ code: '57P03', message: 'not today' });

    expect(client.getTransactionStatus()).toBe('I');
    expect(fault.hits).toHaveLength(1);
    expect(proxy.statements).toMatchObject([{ outcome: 'faulted', sqlstate: '57P03' }]);
    await client.query('BEGIN');
    expect(client.getTransactionStatus()).toBe('T');
    await client.query('ROLLBACK');
  });

  test('extended: everything up to Sync is skipped, and ReadyForQuery says that there is no transaction', async () => {
    const client = await open();
    proxy.once(/^begin/i, fail);
    const pipeline = [frontend.statement('BEGIN'), frontend.parse(insert('lost')), frontend.bind()];

    const answers = await sendRaw(client, [
      ...pipeline,
      frontend.describe(),
      frontend.execute(),
      frontend.sync(),
    ]);

    expect(answers).toEqual(['parseComplete', 'bindComplete', 'error 57P03', 'readyForQuery I']);
    expect(proxy.statements.map(({ outcome }) => outcome)).toEqual(['faulted', 'skipped']);
    expect(await labels()).toEqual([]);
    await client.query(insert('after'));
    expect(await labels()).toEqual(['after']);
  });

  test('extended, in slices: the same', async () => {
    const client = await open();
    proxy.once(/^begin/i, fail);
    const pipeline = [frontend.statement('BEGIN'), frontend.statement(insert('lost')), frontend.sync()];
    expect(await sendRaw(client, pipeline, { sliceBytes: 1 })).toEqual([
      'parseComplete',
      'bindComplete',
      'error 57P03',
      'readyForQuery I',
    ]);
    expect(await labels()).toEqual([]);
  });

  test('earlier statements of the pipeline are answered first, and rolled back with it', async () => {
    const client = await open();
    proxy.once(/^select 2/i, fail);
    const pipeline = [frontend.statement(insert('lost')), frontend.statement('SELECT 2'), frontend.sync()];
    expect(await sendRaw(client, pipeline)).toEqual([
      'parseComplete',
      'bindComplete',
      'commandComplete INSERT 0 1',
      'parseComplete',
      'bindComplete',
      'error 57P03',
      'readyForQuery I',
    ]);
    expect(await labels()).toEqual([]);
  });

  test('an error of the server earlier in the pipeline wins', async () => {
    const client = await open();
    proxy.once(/^select 2/i, fail);
    const pipeline = [frontend.statement('SELECT 1/0'), frontend.statement('SELECT 2'), frontend.sync()];
    expect(await sendRaw(client, pipeline)).toEqual(['parseComplete', 'error 22012', 'readyForQuery I']);
  });

  test('the next pipeline, sent without waiting, is not skipped', async () => {
    const client = await open();
    proxy.once(/^begin/i, fail);
    const first = [frontend.statement('BEGIN'), frontend.sync()];
    const second = [frontend.statement(insert('kept')), frontend.sync()];
    expect(await sendRaw(client, [...first, ...second])).toEqual([
      'parseComplete',
      'bindComplete',
      'error 57P03',
      'readyForQuery I',
      'parseComplete',
      'bindComplete',
      'commandComplete INSERT 0 1',
      'readyForQuery I',
    ]);
    expect(await labels()).toEqual(['kept']);
  });

  test.each(['simple', 'extended'] as const)(
    '%s, inside a transaction: it is left aborted',
    async (protocol) => {
      const client = await open();
      proxy.once(/^select/i, { ...fail, sqlstate: '40001' });
      await client.query('BEGIN');
      const query = protocol === 'simple' ? client.query('SELECT 1') : client.query('SELECT $1::int', [1]);
      await expect(query).rejects.toMatchObject({ code: '40001' });
      await expect(client.query('SELECT 2')).rejects.toMatchObject({ code: '25P02' });
      await client.query('ROLLBACK');
    },
  );

  test.each(['simple', 'extended'] as const)('%s COMMIT: it is rolled back', async (protocol) => {
    const client = await open();
    proxy.once(/^commit/i, { ...fail, sqlstate: '40001' });
    await client.query('BEGIN');
    await client.query(insert('lost'));
    const commit =
      protocol === 'simple' ? [frontend.query('COMMIT')] : [frontend.statement('COMMIT'), frontend.sync()];
    const answers = await sendRaw(client, commit);
    expect(answers.slice(-2)).toEqual(['error 40001', 'readyForQuery I']);
    expect(answers.join()).not.toContain('commandComplete');
    expect(await labels()).toEqual([]);
    await client.query('BEGIN');
    await client.query(insert('kept'));
    await client.query('COMMIT');
    expect(await labels()).toEqual(['kept']);
  });

  test('FATAL: the connection is closed after it', async () => {
    const client = await open();
    proxy.once(/^select/i, { ...fail, sqlstate: '57P01', severity: 'FATAL' });
    expect(await sendRaw(client, [frontend.query('SELECT 1')])).toEqual(['error 57P01', 'closed']);
    await expect(client.query('SELECT 1')).rejects.toThrow(/not queryable/);
  });

  test('arm() acts as often, and on the connection, that it was told', async () => {
    const [one, two] = [await open(), await open()];
    const fault = proxy.arm(/^begin/i, fail, { times: 2, connection: 1 });
    await two.query('BEGIN; ROLLBACK');
    await expect(one.query('BEGIN')).rejects.toThrow('not today');
    await expect(one.query('BEGIN')).rejects.toThrow('not today');
    await one.query('BEGIN; ROLLBACK');
    expect(fault.hits.map(({ connection }) => connection)).toEqual([1, 1]);
  });
});
