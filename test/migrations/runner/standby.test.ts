import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { type Ended, useProjects } from '../../cli/project.js';
import { startPostgres } from '../../harness/postgres.js';
import { startStandby } from '../../harness/postgres-standby.js';
import type { RunningServer } from '../../harness/private-server.js';

const project = useProjects();
let primary: RunningServer;
let standby: RunningServer;

beforeAll(async () => {
  primary = await startPostgres({ settings: { wal_level: 'replica' } });
  standby = await startStandby(primary);
});

afterAll(async () => {
  await standby?.stop();
  await primary?.stop();
});

async function ask<Row extends object>(server: RunningServer, sql: string): Promise<Row[]> {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Until the standby has everything that the primary has now. */
async function followed(): Promise<void> {
  const [at] = await ask<{ lsn: string }>(primary, 'SELECT pg_current_wal_insert_lsn() AS lsn');
  const sql = `SELECT pg_last_wal_replay_lsn() >= '${at!.lsn}' AS done`;
  while (!(await ask<{ done: boolean }>(standby, sql))[0]?.done) await sleep(20);
}

test('a hot standby refuses what writes, tells what it can, and loses nothing', async () => {
  const at = project({
    'migrations/V1__a.sql': 'CREATE TABLE a (n int);',
    'migrations/U1__a.sql': 'DROP TABLE a;',
  });
  const on = (server: RunningServer, ...args: string[]): Promise<Ended> =>
    at.run(args, { env: { DATABASE_URL: server.url } });
  expect(await ask(standby, 'SELECT pg_is_in_recovery() AS is')).toEqual([{ is: true }]);

  // Before the history is there, and when it is.
  const refused = {
    exitCode: 1,
    stdout: '',
    stderr: expect.stringMatching(
      /^postgres:\/\/.* only reads: it is a replica, .*Give the url of the primary\.\n$/m,
    ),
  };
  expect(await on(standby, 'up')).toMatchObject(refused);
  expect(await on(primary, 'up')).toMatchObject({ exitCode: 0 });
  await followed();
  expect(await on(standby, 'up')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('Nothing to apply'),
  });
  at.write({ 'migrations/V2__b.sql': 'CREATE TABLE b (n int);' });
  for (const args of [['up'], ['up', '--dry-run'], ['undo'], ['repair'], ['baseline', '3']])
    expect(await on(standby, ...args)).toMatchObject(refused);

  const status = await on(standby, 'status');
  expect(status.exitCode).toBe(2);
  expect(status.stdout).toMatch(/^1 .* SUCCESS .*\n1 .* AVAILABLE .*\n2 .* PENDING /m);
  expect(await on(standby, 'validate')).toMatchObject({ exitCode: 0 });
  expect(await on(standby, 'unlock')).toMatchObject({ exitCode: 0 });
  const doctor = await on(standby, 'doctor');
  expect(doctor.exitCode).toBe(1);
  expect(doctor.stdout).toMatch(/only reads/);

  expect(await on(primary, 'up')).toMatchObject({ exitCode: 0 });
  await followed();
  expect(await on(standby, 'status')).toMatchObject({ exitCode: 0 });
  expect(await ask(standby, 'SELECT script FROM holdfast_schema_history ORDER BY installed_rank')).toEqual([
    { script: 'V1__a.sql' },
    { script: 'V2__b.sql' },
  ]);
});
