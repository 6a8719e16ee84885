import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { useDatabase } from './database.js';
import type { FaultProxy } from './fault-proxy.js';
import { frontend, sendRaw } from './raw-pipeline.js';

const db = useDatabase();
let proxy: FaultProxy;

beforeEach(async () => {
  proxy = await db.proxy();
  await db.truncate();
});

function make(): Client {
  const client = new Client({ connectionString: proxy.url(db.url) });
  client.on('error', () => undefined);
  return client;
}

async function open(): Promise<Client> {
  const client = make();
  await client.connect();
  db.defer(() => client.end());
  return client;
}

const labels = async () =>
  (await db.query('SELECT label FROM entry ORDER BY id')).map(({ label }) => label as string);
const insert = (label: string) => `INSERT INTO entry (label) VALUES ('${label}')`;

async function untilNoSessions(): Promise<void> {
  while ((await db.sessions()).length > 0) await sleep(5);
}

describe('cut after the statement, before its answer', () => {
  test('simple COMMIT: committed, and the client does not know', async () => {
    const client = await open();
    const fault = proxy.once(/^commit/i, { action: 'cut-after' });
    await client.query('BEGIN');
    await client.query(insert('kept'));

    await expect(client.query('COMMIT')).rejects.toThrow('Connection terminated unexpectedly');

    expect(await labels()).toEqual(['kept']);
    expect(await fault.fired).toMatchObject({ text: 'COMMIT', outcome: 'completed', tag: 'COMMIT' });
    await untilNoSessions();
  });

  test('extended COMMIT after a flushed SELECT: the answer of SELECT gets through', async () => {
    const client = await open();
    proxy.once(/^commit/i, { action: 'cut-after' });
    await client.query('BEGIN');
    await client.query(insert('kept'));
    const answers = await sendRaw(client, [
      frontend.statement(`SELECT 'xid' AS id`),
      frontend.flush(),
      frontend.statement('COMMIT'),
      frontend.sync(),
    ]);
    expect(answers).toContain('commandComplete SELECT 1');
    expect(answers.join()).toContain('dataRow xid');
    expect(answers.join()).not.toContain('COMMIT');
    expect(answers.at(-1)).toBe('closed');
    expect(await labels()).toEqual(['kept']);
  });

  test('an autocommitted statement with parameters', async () => {
    const client = await open();
    proxy.once(/^insert/i, { action: 'cut-after' });
    await expect(client.query('INSERT INTO entry (label) VALUES ($1)', ['kept'])).rejects.toThrow(
      'terminated',
    );
    expect(await labels()).toEqual(['kept']);
  });
});

describe('cut before the statement reaches the server', () => {
  test.each(['simple', 'extended'] as const)('%s COMMIT: rolled back', async (protocol) => {
    const client = await open();
    const fault = proxy.once(/^commit/i, { action: 'cut-before' });
    await client.query('BEGIN');
    await client.query(insert('lost'));
    const commit =
      protocol === 'simple' ? [frontend.query('COMMIT')] : [frontend.statement('COMMIT'), frontend.sync()];
    expect((await sendRaw(client, commit)).at(-1)).toBe('closed');
    expect(fault.hits).toMatchObject([{ outcome: 'faulted' }]);
    await untilNoSessions();
    expect(await labels()).toEqual([]);
  });

  test('flushed answers of earlier statements get through', async () => {
    const client = await open();
    proxy.once(/^commit/i, { action: 'cut-before' });
    const answers = await sendRaw(client, [
      frontend.statement('BEGIN'),
      frontend.statement(`SELECT 'xid'`),
      frontend.flush(),
      frontend.statement('COMMIT'),
      frontend.sync(),
    ]);
    expect(answers.join()).toContain('dataRow xid');
    expect(answers.at(-1)).toBe('closed');
  });
});

test('hold: the statement waits, and others do not', async () => {
  const [one, two] = [await open(), await open()];
  const fault = proxy.once(/^commit/i, { action: 'hold' });
  await one.query('BEGIN');
  await one.query(insert('held'));
  const commit = one.query('COMMIT');
  await fault.fired;
  await two.query('SELECT 1');
  expect(await labels()).toEqual([]);
  fault.release();
  await commit;
  expect(await labels()).toEqual(['held']);
});

test('hold, then fail: faults on one statement act in the order in which they were armed', async () => {
  const client = await open();
  const hold = proxy.once(/^begin/i, { action: 'hold' });
  proxy.once(/^begin/i, { action: 'fail', sqlstate: '57P03', message: 'not today' });
  const begin = client.query('BEGIN');
  await hold.fired;
  hold.release();
  await expect(begin).rejects.toThrow('not today');
});

test('delay: each direction adds its part to a round trip', async () => {
  const client = await open();
  proxy.delay({ toServerMs: 30, toClientMs: 20 });
  const started = performance.now();
  await client.query('SELECT 1');
  expect(performance.now() - started).toBeGreaterThan(45);
  proxy.delay({ toServerMs: 0, toClientMs: 0 });
  await sendRaw(client, [frontend.statement('SELECT 2'), frontend.sync()]);
  expect(proxy.flights).toBe(2);
});

test('keepAnswers(): the server runs what is sent, and the client hears of it once they are delivered', async () => {
  const client = await open();
  const deliver = proxy.keepAnswers();
  let isAnswered = false;
  const answered = client.query('SELECT 1 AS one').then(({ rows }) => {
    isAnswered = true;
    return rows;
  });
  while (proxy.statements[0]?.outcome !== 'completed') await new Promise(setImmediate);
  await new Promise(setImmediate);
  expect(isAnswered).toBe(false);
  deliver();
  expect(await answered).toEqual([{ one: 1 }]);
  expect((await client.query('SELECT 2 AS two')).rows).toEqual([{ two: 2 }]);
});

test('cut(): every connection ends, new ones are welcome', async () => {
  const [one, two] = [await open(), await open()];
  const ended = [one, two].map((client) => new Promise((resolve) => client.once('end', resolve)));
  await proxy.cut();
  await Promise.all(ended);
  expect(proxy.openConnections).toBe(0);
  expect((await (await open()).query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
});

test('refuse(): new connections are refused, old ones go on, until heal()', async () => {
  const old = await open();
  await proxy.refuse();
  await expect(make().connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await old.query('SELECT 1');
  await proxy.heal();
  await (await open()).query('SELECT 1');
});

test('refuse(error): new connections get the error, as from the server', async () => {
  await proxy.refuse({ sqlstate: '53300', message: 'sorry, too many clients already' });
  await expect(make().connect()).rejects.toMatchObject({ code: '53300', severity: 'FATAL' });
  await proxy.heal();
  await (await open()).query('SELECT 1');
});

describe('a black hole', () => {
  test('swallows everything on old and new connections, until heal() cuts them', async () => {
    const old = await open();
    proxy.blackHole();
    const [fresh, answers] = [make(), [] as string[]];
    const query = old.query(insert('swallowed')).then(
      () => answers.push('old answered'),
      () => answers.push('old failed'),
    );
    const connect = fresh.connect().then(
      () => answers.push('new answered'),
      () => answers.push('new failed'),
    );
    await sleep(50);
    expect(answers).toEqual([]);
    expect((await db.sessions()).map(({ state }) => state)).toEqual(['idle']);

    await proxy.heal();

    await Promise.all([query, connect]);
    expect(answers.toSorted()).toEqual(['new failed', 'old failed']);
    expect(await labels()).toEqual([]);
    await (await open()).query('SELECT 1');
  });

  test('from a statement on: the session keeps its transaction on the server', async () => {
    const client = await open();
    const fault = proxy.once(/^commit/i, { action: 'black-hole' });
    await client.query('BEGIN');
    await client.query(insert('stuck'));
    const commit = client.query('COMMIT').catch((error: Error) => error.message);
    await fault.fired;
    expect((await db.sessions()).map(({ state }) => state)).toEqual(['idle in transaction']);
    await proxy.cut();
    expect(await commit).toMatch(/terminated/);
    await untilNoSessions();
    expect(await labels()).toEqual([]);
  });
});
