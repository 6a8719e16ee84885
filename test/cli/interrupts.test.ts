import { once } from 'node:events';
import { createServer, type Server as TcpServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { SAME_SIGNAL_MS } from '../../src/cli/interrupts.js';
import { type RunningProgram, useProjects } from './project.js';
import { type Server, useServers } from './servers.js';

jest.setTimeout(60_000);

const project = useProjects();
const servers = useServers();

const sleeping = (server: Server, seconds: number): string =>
  server.name === 'PostgreSQL' ? `SELECT pg_sleep(${seconds});\n` : `SELECT sleep(${seconds});\n`;
const isAsleep = async (server: Server): Promise<boolean> => {
  const text =
    server.name === 'PostgreSQL'
      ? `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'SELECT pg_sleep%'`
      : `SELECT 1 FROM information_schema.processlist WHERE db = database() AND info LIKE 'SELECT sleep%'`;
  return (await server.query(text)).length > 0;
};
async function asleep(server: Server, program: RunningProgram): Promise<void> {
  let over = false;
  void program.ended.then(() => (over = true));
  while (!(await isAsleep(server))) {
    if (over) throw new Error(`It ended: ${program.stdout}${program.stderr}`);
    await sleep(20);
  }
}

describe.each(servers)('on $name', (server) => {
  const env = (): Record<string, string> => ({ DATABASE_URL: server.url });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s: the running statement ends, the next migration does not run, the lock is free, and it says where things stand',
    async (signal) => {
      const at = project({
        'migrations/V1__a.sql': 'CREATE TABLE a (id int);\n',
        'migrations/V2__b.sql': `${sleeping(server, 1.5)}CREATE TABLE b (id int);\n`,
        'migrations/V3__c.sql': 'CREATE TABLE c (id int);\n',
      });
      const up = at.start(['up'], { env: env() });
      await asleep(server, up);
      up.child.kill(signal);
      const { exitCode, stdout, stderr } = await up.ended;

      expect([1, 3]).toContain(exitCode);
      expect(stderr).toMatch(new RegExp(`^${signal}: stopping when the running statement is over`, 'm'));
      expect(stderr).toMatch(/V\d__.\.sql[^]*\nNext: /);
      expect(stdout).toMatch(/^✓ V1__a\.sql/);
      expect(stdout).not.toContain('✓ V3__c');
      const { last } = await at.json(['up'], { env: env() });
      expect(last).toMatchObject({ kind: 'result', version: '3' });
    },
  );

  test('a second signal cancels the running statement', async () => {
    const at = project({ 'migrations/V1__a.sql': sleeping(server, 30) });
    const up = at.start(['up'], { env: env() });
    await asleep(server, up);
    up.child.kill('SIGINT');
    await up.says(/stopping/);
    // A signal that comes at once is npm's, for the same Ctrl-C.
    up.child.kill('SIGINT');
    await sleep(SAME_SIGNAL_MS + 100);
    expect(up.stderr).not.toContain('Cancelling');
    up.child.kill('SIGINT');
    const { exitCode, stderr } = await up.ended;

    expect(stderr).toContain('Cancelling the running statement.');
    expect([1, 3]).toContain(exitCode);
    expect(await isAsleep(server)).toBe(false);
  });

  test('a busy lock is exit code 4, and unlock shows the holder and takes it away with --yes', async () => {
    const at = project({ 'migrations/V1__a.sql': sleeping(server, 30) });
    const up = at.start(['up'], { env: env() });
    await asleep(server, up);
    const busy = await at.run(['up', '--lock-wait', '0'], { env: env() });
    const asked = await at.run(['unlock'], { env: env() });
    const unlocked = await at.run(['unlock', '--yes'], { env: env() });
    const ended = await up.ended;

    expect(busy).toMatchObject({ exitCode: 4, stdout: '' });
    expect(busy.stderr).toContain('V1__a.sql');
    expect(asked).toMatchObject({
      exitCode: 64,
      stderr: expect.stringMatching(/held by .*applying V1__a\.sql[^]*add --yes/),
    });
    expect(unlocked).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/held by .*\nIt was taken away\.\n$/),
    });
    expect([1, 3]).toContain(ended.exitCode);
  });

  test('a reader that goes away ends nothing', async () => {
    const files = Array.from({ length: 30 }, (_, index) => [
      `migrations/V${index + 1}__x.sql`,
      'SELECT 1;\n',
    ]);
    const at = project(Object.fromEntries(files));
    const up = at.start(['up'], { env: env() });
    await up.says(/V1__x/);
    up.child.stdout!.destroy();
    up.child.stderr!.destroy();
    const [exitCode] = (await once(up.child, 'exit')) as [number];

    expect(exitCode).toBe(0);
    expect((await at.json(['status'], { env: env() })).last).toMatchObject({ version: '30', pending: [] });
  });
});

describe('a process ends by itself', () => {
  test('when a migration leaves something open', async () => {
    const [postgres] = servers;
    const at = project({
      'migrations/V1__x.js': 'exports.up = async () => { setInterval(() => {}, 1000); };\n',
    });
    const { exitCode, stdout, stderr } = await at.run(['up'], { env: { DATABASE_URL: postgres!.url } });

    expect(stdout).toContain('1 migration applied');
    expect(stderr).toMatch(/is still open \(.*Timeout.*\); ending/);
    expect(exitCode).toBe(0);
  });

  let silent: TcpServer;
  beforeAll(async () => {
    silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
  });
  afterAll(() => silent.close());

  test.each(['postgres', 'mysql'])(
    'when a server of %s never answers and it is told to stop',
    async (protocol) => {
      const { port } = silent.address() as { port: number };
      const connected = once(silent, 'connection') as Promise<[import('node:net').Socket]>;
      const url = `${protocol}://x:y@127.0.0.1:${port}/z`;
      const up = project({ 'migrations/V1__x.sql': '' }).start(['up'], { env: { DATABASE_URL: url } });
      const [socket] = await connected;
      up.child.kill('SIGTERM');
      await up.says(/stopping/);
      const { exitCode } = await up.ended;
      socket.destroy();

      expect([1, 3]).toContain(exitCode);
    },
  );
});
