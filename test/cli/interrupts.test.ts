import { once } from 'node:events';
import { createServer, type Server as TcpServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupts } from '../../src/cli/interrupts.js';
import { openDatabase } from '../../src/migrations/database/open-database.js';
import { readMigratorOptions } from '../../src/migrations/options.js';
import { ManualClock } from '../../src/testing/index.js';
import { type Ended, type RunningProgram, useProjects } from './project.js';
import { type Server, useServers } from './servers.js';

const project = useProjects();
const servers = useServers();

const sleeping = (server: Server): string =>
  server.name === 'PostgreSQL' ? 'SELECT pg_sleep(60);\n' : 'SELECT sleep(60);\n';
/** Waits for as long as {@link holdGate} says. */
const waiting = (server: Server, gate = 'gate'): string =>
  server.name === 'PostgreSQL'
    ? `SELECT pg_advisory_lock(hashtext('${gate}'));\n`
    : `SELECT GET_LOCK('${gate}', 60);\n`;
/** What a migration runs may be one packet with what stands before it; the lock of the run is a GET_LOCK, too. */
const isAsleep = async (server: Server): Promise<boolean> => {
  const text =
    server.name === 'PostgreSQL'
      ? `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid() AND query ~ 'SELECT pg_(sleep|advisory_lock)'`
      : `SELECT 1 FROM information_schema.processlist WHERE db = database() AND id <> connection_id() AND info RLIKE 'SELECT (sleep|GET_LOCK.{2}gate)'`;
  return (await server.query(text)).length > 0;
};
/** Keeps a statement of a migration from ending until the gate is opened. */
async function holdGate(server: Server, gate?: string): Promise<{ open(): Promise<void> }> {
  const database = await openDatabase(readMigratorOptions({ url: server.url }));
  const session = await database.open();
  await session.query(waiting(server, gate));
  return {
    async open() {
      await session.end();
      await database.close();
    },
  };
}
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
        'migrations/V2__b.sql': `${waiting(server)}CREATE TABLE b (id int);\n`,
        // PostgreSQL has it already, and it is taken back, however late that is.
        'migrations/V3__c.sql': `${waiting(server, 'next')}CREATE TABLE c (id int);\n`,
      });
      const gate = await holdGate(server);
      const next = await holdGate(server, 'next');
      const up = at.start(['up'], { env: env() });
      const ended = asleep(server, up)
        .then(() => up.child.kill(signal))
        .then(() => up.says(/stopping/))
        .finally(() => gate.open())
        .then(() => up.ended);
      const { exitCode, stdout, stderr } = await ended.finally(() => next.open());

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
    const at = project({ 'migrations/V1__a.sql': sleeping(server) });
    const up = at.start(['up'], { env: env() });
    await asleep(server, up);
    // Those that come at once are one Ctrl-C.
    while (!up.stderr.includes('Cancelling')) {
      up.child.kill('SIGINT');
      await sleep(50);
    }
    const { exitCode, stderr } = await up.ended;

    expect(stderr).toMatch(/stopping[^]*Cancelling the running statement\./);
    expect([1, 3]).toContain(exitCode);
    while (await isAsleep(server)) await sleep(20);
  });

  test('a busy lock is exit code 4, and unlock shows the holder and takes it away with --yes', async () => {
    const at = project({ 'migrations/V1__a.sql': sleeping(server) });
    const up = at.start(['up'], { env: env() });
    await asleep(server, up);
    const busy = await at.start(['up', '--lock-wait', '0'], { env: env() }).ended;
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
    // It still has something to say when the reader has gone.
    const at = project({ ...Object.fromEntries(files), 'migrations/V15__x.sql': waiting(server) });
    const gate = await holdGate(server);
    const up = at.start(['up'], { env: env() });
    await up.says(/V1__x/).finally(() => {
      up.child.stdout!.destroy();
      up.child.stderr!.destroy();
      return gate.open();
    });
    const { exitCode } = await up.ended;

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
    const { exitCode, stdout, stderr } = await at.start(['up'], { env: { DATABASE_URL: postgres!.url } })
      .ended;

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
      const stopped = async (seconds: number): Promise<{ isTold: boolean; ended: Ended }> => {
        const connected = once(silent, 'connection') as Promise<[import('node:net').Socket]>;
        const url = `${protocol}://x:y@127.0.0.1:${port}/z?connect_timeout=${seconds}`;
        const up = project({ 'migrations/V1__x.sql': '' }).start(['up'], { env: { DATABASE_URL: url } });
        const [socket] = await connected;
        up.child.kill('SIGTERM');
        const ended = await up.ended;
        socket.destroy();
        return { isTold: ended.stderr.includes('stopping'), ended };
      };
      let run = await stopped(3);
      // It had given up by itself before the signal came.
      if (!run.isTold && /did not answer in time/.test(run.ended.stderr)) run = await stopped(30);

      expect(run.isTold).toBe(true);
      expect([1, 3]).toContain(run.ended.exitCode);
    },
  );
});

test('signals within half a second are one Ctrl-C: npm sends on what the terminal has sent already', () => {
  const clock = new ManualClock();
  const told: string[] = [];
  using interrupts = new Interrupts(
    { onStop: (signal) => void told.push(signal), onCancel: () => void told.push('cancel') },
    clock,
  );
  process.emit('SIGTERM', 'SIGTERM');
  process.emit('SIGINT', 'SIGINT');
  expect([interrupts.stopSignal.aborted, interrupts.cancelSignal.aborted]).toEqual([true, false]);
  clock.advance(499);
  process.emit('SIGINT', 'SIGINT');
  expect(told).toEqual(['SIGTERM']);
  clock.advance(1);
  process.emit('SIGINT', 'SIGINT');
  expect(told).toEqual(['SIGTERM', 'cancel']);
  expect(interrupts.cancelSignal.aborted).toBe(true);
});
