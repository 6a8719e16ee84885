import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { until } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';
import { NodeProcess } from './spawn-node.js';

const example = 'examples/nestjs-typeorm';
const compiled = `${example}/dist/examples/nestjs-typeorm`;
const demo = `${example}/run-demo.mjs`;
const running: NodeProcess[] = [];

jest.setTimeout(600_000);
afterEach(async () => {
  for (const process of running.splice(0)) await process.remove();
});

function start(args: readonly string[], env?: Record<string, string>): NodeProcess {
  const process = new NodeProcess(args, env);
  running.push(process);
  return process;
}

test('the demo keeps every promise, shows what happens by hand, and ends by itself', async () => {
  const process = start([demo]);

  const code = await process.ended;
  // First, for what it prints says which act was not as promised.
  expect(process.output).toContain('6 acts, every promise kept.');
  expect(code).toBe(0);
  for (const line of [
    /the client saw\s+201 Created, question 2\s+201 Created, question 2\n/,
    /the client saw\s+404 Draft 99 does not exist\s+404 Draft 99 does not exist\n.*\n\s+ada's points\s+10\s+15\n/,
    /the client saw\s+500 Internal server error\s+201 Created, question 2\n\s+ada's questions\s+0\s+0\n/,
    /UnexpectedRollbackError: "QuestionService.ask" returned, but its work was rolled\s+back/,
    /201 Created, question 3\s+500 Internal server error\n\s+ada's questions\s+2\s+0\n/,
    /connections lost\s+0\s+2\n/,
    /The method ran again from its start/,
  ]) {
    expect(process.output).toMatch(line);
  }
  expect(process.output).not.toContain('\u001B[');
  expect(longestLine(process.output)).toBeLessThanOrEqual(100);
  expect(process.leftovers()).toEqual([]);
});

test('--serve keeps both services up, on a free port when the asked one is taken, until Ctrl-C', async () => {
  const taken = createServer();
  await once(taken.listen(0, '127.0.0.1'), 'listening');
  const { port } = taken.address() as AddressInfo;
  const process = start([demo, '--serve', '--port', String(port)]);
  await process.says(/Ctrl-C ends it/);
  const [, url, byHand] = await process.says(/runs at (\S+), the hand-written one at (\S+)\./);

  expect(url).not.toContain(`:${port}`);
  expect(process.output).not.toContain('already registered');
  expect(process.leftovers()).toEqual([expect.stringContaining('holdfast-pg-')]);
  const statuses = [];
  for (const line of curlLines(process.output)) statuses.push((await fetchLikeCurl(line)).status);
  expect(statuses).toEqual([201, 404, 500, 200, 200, 404, 200]);
  expect(await (await fetch(`${url}/questions`)).json()).toEqual([
    expect.objectContaining({ title: 'What is a lease?' }),
    expect.objectContaining({ title: 'May I?', slug: 'may-i' }),
  ]);
  expect(await (await fetch(`${url}/users/1`)).json()).toMatchObject({ points: 15 });
  expect(await (await fetch(`${byHand}/users/1`)).json()).toMatchObject({ points: 15 });

  process.kill('SIGINT');
  expect(await process.ended).toBe(0);
  taken.close();
  await once(taken, 'close');
  expect(process.leftovers()).toEqual([]);
});

test.each([
  { args: ['--sevre'], says: "Unknown option '--sevre'" },
  { args: ['--port', 'abc'], says: '--port must be a whole number from 1 to 65534, but is "abc".' },
  { args: ['--port', '70000'], says: '--port must be a whole number from 1 to 65534, but is "70000".' },
  { args: ['--port'], says: "Option '--port <value>' argument missing" },
  { args: ['serve'], says: "Unexpected argument 'serve'" },
])('$args is a usage error', async ({ args, says }) => {
  const process = start([demo, ...args]);

  expect(await process.ended).toBe(64);
  expect(process.output).toContain(`demo: ${says}`);
  expect(process.output).toContain('Usage: npm run demo');
});

test('--help explains the options', async () => {
  const process = start([demo, '--help']);

  expect(await process.ended).toBe(0);
  expect(process.output).toContain('--serve');
});

describe('the service by itself', () => {
  const db = useDatabase();

  beforeAll(async () => {
    const compile = new NodeProcess([`${example}/compile.mjs`]);
    if ((await compile.ended) !== 0) throw new Error(compile.output);
    await compile.remove();
  });

  test('its process ends by itself after app.close()', async () => {
    const script = `
      require('reflect-metadata');
      const { NestFactory } = require('@nestjs/core');
      const { AppModule } = require('./${compiled}/src/app.module.js');
      const { runInTransaction } = require('holdfast');
      const { DataSource } = require('typeorm');
      void (async () => {
        const app = await NestFactory.create(AppModule.on({ url: process.env.DATABASE_URL, poolSize: 5 }), { logger: false });
        await app.listen(0, '127.0.0.1');
        await Promise.all([1, 2, 3].map(() => runInTransaction(() => app.get(DataSource).query('SELECT 1'))));
        await app.close();
        console.log('closed');
      })();
    `;
    const process = start(['-e', script], { DATABASE_URL: db.url });

    expect(await process.ended).toBe(0);
    expect(process.output).toBe('closed\n');
  });

  test('answers over HTTP, and SIGTERM ends it cleanly', async () => {
    const port = await freePort();
    const main = `${compiled}/src/main.js`;
    const process = start([main], { DATABASE_URL: db.url, PORT: String(port), NO_COLOR: '1' });
    await process.says(/Nest application successfully started/);
    await db.query(`INSERT INTO "user" (name) VALUES ('ada')`);
    // Nest says so before it listens.
    await until('a listening service', () => isListening(port));

    const answer = await fetch(`http://127.0.0.1:${port}/questions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ authorId: 1, title: 'May I?' }),
    });

    expect(answer.status).toBe(201);
    expect(await db.query('SELECT name, points FROM "user"')).toEqual([{ name: 'ada', points: 5 }]);
    process.kill('SIGTERM');
    await process.ended;
    expect(process.output).not.toMatch(/error/i);
    // The server takes them off its list some time after it has read the goodbye.
    await until('the end of the sessions', async () => (await db.sessions()).length === 0);
  });
});

function curlLines(output: string): string[] {
  return output.split('\n').filter((line) => line.startsWith('curl '));
}

/** Sends what the printed command would send. */
function fetchLikeCurl(line: string): Promise<Response> {
  const [, url, body] =
    /^curl -s (\S+)(?: -H 'content-type: application\/json' -d '(.*)')?$/.exec(line) ?? [];
  if (url === undefined) throw new Error(`not understood: ${line}`);
  if (body === undefined) return fetch(url);
  return fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
}

function longestLine(output: string): number {
  return Math.max(...output.split('\n').map((line) => line.length));
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await once(probe.listen(0, '127.0.0.1'), 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
