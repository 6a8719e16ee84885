import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { adminUrl } from './template.js';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-harness-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('a file that closes what it opened passes, and its database is dropped', async () => {
  const run = await runFixture('clean');
  expect(run).toMatchObject({ exitCode: 0, failed: [] });
  expect(run.output).not.toContain('Kept the database');
  expect(await databasesLike('harness_fixtures_clean%')).toEqual([]);
});

test('the tests that leak fail, and only they; the database is kept and named', async () => {
  const run = await runLeaky('leaks');
  expect(run.exitCode).toBe(1);
  expect(run.failed).toEqual([
    'fails: leaves a client out',
    'fails: leaves a transaction open on a connection of its own',
    'fails: a closer throws',
  ]);
  expect(run.output).toMatch(
    /client never released to the pool made at .*leaks\.fixture\.ts:\d+:\d+: pid \d+/,
  );
  expect(run.output).toMatch(/left inside a transaction: pid \d+, idle in transaction, application "stray"/);
  const [name] = await databasesLike('harness_fixtures_leaks%');
  expect(run.output).toMatch(new RegExp(`Kept the database of .*leaks.fixture.ts: postgres://.*/${name}`));
  await drop(name);
});

test('a connection that outlives the file fails the file', async () => {
  const run = await runLeaky('stray');
  expect(run).toMatchObject({ exitCode: 1, failed: [] });
  expect(run.output).toMatch(/still connected: pid \d+, idle, application "stray"/);
  const [name] = await databasesLike('harness_fixtures_stray%');
  await drop(name);
});

test('a server that outlives the file fails the file', async () => {
  const run = await runLeaky('open-server');
  expect(run).toMatchObject({ exitCode: 1, failed: [] });
  expect(run.output).toContain('keeps the process alive: 1 x listening TCP server');
});

interface FixtureRun {
  readonly exitCode: number;
  readonly failed: readonly string[];
  readonly output: string;
}

/** What it leaks is still there after any time. */
const runLeaky = (name: string): Promise<FixtureRun> =>
  runFixture(name, { HOLDFAST_TEST_LEAK_GRACE_MS: '50' });

/** Runs jest on one fixture, against the server of this run. */
async function runFixture(name: string, env?: Readonly<Record<string, string>>): Promise<FixtureRun> {
  const config = join(directory, `${name}.cjs`);
  const results = join(directory, `${name}.json`);
  const base = JSON.stringify(join(process.cwd(), 'jest.config.cjs'));
  writeFileSync(
    config,
    `const { globalSetup, globalTeardown, ...base } = require(${base});
     module.exports = { ...base, rootDir: ${JSON.stringify(process.cwd())}, testMatch: ['**/${name}.fixture.ts'] };`,
  );
  const jest = join(process.cwd(), 'node_modules', 'jest', 'bin', 'jest.js');
  const args = [jest, '--config', config, '--runInBand', '--forceExit', '--json', '--outputFile', results];
  const [exitCode, output] = await new Promise<[number, string]>((resolve) => {
    execFile(process.execPath, args, { env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      resolve([Number(error?.code ?? 0), stdout + stderr]),
    );
  });
  const { testResults } = JSON.parse(readFileSync(results, 'utf8')) as {
    testResults: { assertionResults: { title: string; status: string }[] }[];
  };
  const all = testResults.flatMap(({ assertionResults }) => assertionResults);
  expect(all).not.toEqual([]);
  return {
    exitCode,
    output,
    failed: all.filter(({ status }) => status === 'failed').map(({ title }) => title),
  };
}

async function databasesLike(pattern: string): Promise<(string | undefined)[]> {
  const rows = await admin(`SELECT datname FROM pg_database WHERE datname LIKE '${pattern}'`);
  return rows.map(({ datname }) => datname);
}

async function drop(name: string | undefined): Promise<void> {
  await admin(`DROP DATABASE "${name}" WITH (FORCE)`);
}

async function admin(sql: string): Promise<Record<string, string>[]> {
  const client = new Client({ connectionString: adminUrl() });
  await client.connect();
  try {
    return (await client.query<Record<string, string>>(sql)).rows;
  } finally {
    await client.end();
  }
}
