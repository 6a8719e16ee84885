import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { transformFileSync } from '@swc/core';
import { Client } from 'pg';
import { startPostgres } from './postgres.js';

test('starts a server with the settings of the tests, and leaves nothing behind', async () => {
  const server = await startPostgres({ settings: { work_mem: '8MB' } });
  const client = new Client({ connectionString: server.url });
  await client.connect();
  const { rows } = await client.query(
    `SELECT name, setting FROM pg_settings
      WHERE name IN ('fsync', 'max_connections', 'max_prepared_transactions', 'work_mem') ORDER BY name`,
  );
  expect(rows.map(({ name, setting }) => `${name}=${setting}`)).toEqual([
    'fsync=off',
    'max_connections=200',
    'max_prepared_transactions=5',
    'work_mem=8192',
  ]);
  await client.end();
  expect(isRunning(server.pid)).toBe(true);

  await server.stop();

  expect(isRunning(server.pid)).toBe(false);
  expect(existsSync(server.directory)).toBe(false);
});

test('two servers live side by side', async () => {
  const servers = await Promise.all([startPostgres(), startPostgres()]);
  expect(new Set(servers.map(({ url }) => new URL(url).port)).size).toBe(2);
  await Promise.all(servers.map((server) => server.stop()));
});

test('a server that cannot start says why, and leaves nothing behind', async () => {
  const starting = startPostgres({ settings: { max_connections: 'many' } });

  await expect(starting).rejects.toThrow(
    /Could not start a PostgreSQL.*HOLDFAST_TEST_PG_URL.*max_connections/s,
  );

  const message = await starting.catch((error: Error) => error.message);
  const [directory] = /\S+holdfast-pg-\w+/.exec(String(message)) ?? [];
  expect(directory && existsSync(directory)).toBe(false);
});

describe('a process that starts a server and ends without stopping it', () => {
  let scripts: string;

  beforeAll(() => {
    scripts = mkdtempSync(join(tmpdir(), 'holdfast-harness-'));
    for (const name of ['postgres', 'postgres-binaries', 'private-server', 'server-watchdog']) {
      const file = join('test', 'harness', `${name}.ts`);
      const module = { type: 'commonjs' } as const;
      const { code } = transformFileSync(file, { module, swcrc: false, jsc: { target: 'es2022' } });
      writeFileSync(join(scripts, `${name}.js`), code);
    }
  });

  afterAll(() => rmSync(scripts, { recursive: true, force: true }));

  test.each([
    { end: 'exits normally', code: '' },
    { end: 'calls process.exit', code: 'process.exit(3)' },
    { end: 'throws', code: 'throw new Error("expected by the test")' },
  ])('$end: the server dies with it', async ({ code }) => {
    const { child, pid, directory } = await run(code);
    await whenExited(child);
    expect(await findLeft(pid, directory)).toEqual([]);
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('%s: the server dies with it', async (signal) => {
    const { child, pid, directory } = await run('setInterval(() => {}, 1000)');
    child.kill(signal);
    await whenExited(child);
    expect(await findLeft(pid, directory)).toEqual([]);
  });

  test('SIGTERM while the data directory is being made: it goes too', async () => {
    const before = `const fs = require('node:fs'); const make = fs.mkdirSync;
      fs.mkdirSync = (path, options) => { make(path, options); console.log('0 ' + path); };`;
    const { child, directory } = await run('', before);
    child.kill('SIGTERM');
    await whenExited(child);
    expect(await findLeft(0, directory)).toEqual([]);
  });

  test('keep(): the server and its data stay', async () => {
    const { child, pid, directory } = await run('await server.keep()');
    await whenExited(child);
    expect(isRunning(pid)).toBe(true);
    expect(readFileSync(join(directory, 'server.log'), 'utf8')).toContain('ready to accept connections');
    process.kill(pid, 'SIGINT');
    while (existsSync(join(directory, 'data', 'postmaster.pid'))) await sleep(20);
    rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  });

  interface Started {
    readonly child: ChildProcess;
    readonly pid: number;
    readonly directory: string;
  }

  async function run(code: string, before = ''): Promise<Started> {
    const script = `${before}
      require(${JSON.stringify(join(scripts, 'postgres.js'))}).startPostgres().then(async (server) => {
        console.log(server.pid + ' ' + server.directory);
        ${code}
      });`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const [pid, directory = ''] = line.split(' ');
    return { child, pid: Number(pid), directory };
  }
});

async function whenExited(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

async function findLeft(pid: number, directory: string): Promise<string[]> {
  const deadline = Date.now() + 15_000;
  while ((existsSync(directory) || isRunning(pid)) && Date.now() < deadline) await sleep(20);
  return [...(isRunning(pid) ? ['server'] : []), ...(existsSync(directory) ? ['directory'] : [])];
}

/** A zombie, which nobody may reap in a container, counts as ended. */
function isRunning(pid: number): boolean {
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const status = `/proc/${pid}/stat`;
  return !existsSync(status) || !/^\d+ \(.*\) Z/.test(readFileSync(status, 'utf8'));
}
