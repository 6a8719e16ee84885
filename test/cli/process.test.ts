import { useProjects } from './project.js';
import { type Server, useServers } from './servers.js';

const project = useProjects();
const [postgres, mariadb] = useServers() as [Server, Server];

const FIRST = { 'migrations/V1__a.sql': 'CREATE TABLE a (id int);\n' };
const only = (sql: string) => ({ 'migrations/V1__a.sql': sql });

interface Run {
  readonly exitCode: number;
  readonly on: Server;
  readonly args: string;
  readonly files: Readonly<Record<string, string>>;
  readonly stdout: RegExp;
  readonly stderr: RegExp;
}

// The other tests run the program in a process that they share. Exit code 4 is in interrupts.test.ts.
test.each<Run>([
  { exitCode: 0, on: postgres, args: 'up', files: FIRST, stdout: /^✓ V1__a\.sql/, stderr: /1 migration to/ },
  { exitCode: 1, on: postgres, args: 'up', files: only('SELEC'), stdout: /^✗ V1__a/, stderr: /\nNext: / },
  { exitCode: 2, on: mariadb, args: 'status', files: FIRST, stdout: /1 migration pending/, stderr: /^/ },
  {
    exitCode: 3,
    on: mariadb,
    args: 'up',
    files: only('CREATE TABLE a (id int);\nINSERT INTO nowhere VALUES (1);\n'),
    stdout: /^✗ V1__a/,
    stderr: /V1__a\.sql:2:\d+: .*nowhere/,
  },
  {
    exitCode: 6,
    on: postgres,
    args: 'up',
    files: only('CREATE TABLE a (id int);\n-- verify: SELECT 1\n'),
    stdout: /^✗ V1__a/,
    stderr: /V1__a\.sql/,
  },
  {
    exitCode: 7,
    on: mariadb,
    args: 'up',
    files: only("SELECT CAST('x' AS int);\n"),
    stdout: /^✗ V1__a/,
    stderr: /1292/,
  },
  {
    exitCode: 0,
    on: mariadb,
    args: 'up --allow-warning 1292',
    files: only("SELECT CAST('x' AS int);\n"),
    stdout: /^✓ V1__a/,
    stderr: /1292/,
  },
  { exitCode: 64, on: postgres, args: 'upp', files: {}, stdout: /^$/, stderr: /unknown command 'upp'/ },
])('a process of its own ends with $exitCode, and writes where it should', async (run) => {
  const { ended } = project(run.files).start(run.args.split(' '), { env: { DATABASE_URL: run.on.url } });

  expect(await ended).toEqual({
    exitCode: run.exitCode,
    stdout: expect.stringMatching(run.stdout),
    stderr: expect.stringMatching(run.stderr),
  });
});

test('a process of its own ends with 5 where an applied file was edited', async () => {
  const env = { DATABASE_URL: postgres.url };
  const at = project(FIRST);
  await at.run(['up'], { env });
  at.write(only('CREATE TABLE a (id bigint);\n'));

  expect(await at.start(['up'], { env }).ended).toEqual({
    exitCode: 5,
    stdout: '',
    stderr: expect.stringContaining('V1__a.sql'),
  });
});
