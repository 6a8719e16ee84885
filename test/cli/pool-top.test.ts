import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { PassThrough } from 'node:stream';
import picocolors from 'picocolors';
import type { Pool, PoolClient } from 'pg';
import {
  createPoolMonitor,
  openRequest,
  passwordGuard,
  type PoolMonitor,
  readStatus,
  statusPage,
} from 'holdfast/pool-monitor';
import { ManualClock } from 'holdfast/testing';
import { displayWidth } from '../../src/cli/output/text.js';
import { frameOf } from '../../src/cli/pool-top/frame.js';
import { FIRST_STATE, pressed, type ViewState } from '../../src/cli/pool-top/view-state.js';
import { runProgram } from '../../src/cli/program.js';
import { useDatabase } from '../harness/database.js';
import { serve } from '../pool-monitor/views/page-server.js';
import { useProjects } from './project.js';
import { useServers } from './servers.js';

const project = useProjects();
const servers = useServers();
const db = useDatabase();
const password = 'a-password-of-the-operators';
const plain = picocolors.createColors(false);

let clock: ManualClock;
let pool: Pool;
let monitor: PoolMonitor;
let app: { readonly url: string; close(): Promise<void> };
let clients: PoolClient[];
/** What a test has served beside it. */
let others: { close(): Promise<void> }[];

beforeEach(async () => {
  clock = new ManualClock();
  pool = db.pool({ max: 3 });
  monitor = createPoolMonitor({
    service: 'shop',
    environment: 'test',
    instance: 'shop-1',
    clock,
    server: { mode: 'off' },
  }).start();
  monitor.watch(pool, { name: 'orders' });
  app = await serve(statusPage(monitor, { authorize: passwordGuard(password) }));
  clients = [];
  others = [];
});
afterEach(async () => {
  for (const client of clients) client.release();
  for (const { close } of [app, ...others]) await close();
  await monitor.stop();
});

async function serveOther(handler: RequestListener): Promise<string> {
  const other = await serve(handler);
  others.push(other);
  return other.url;
}

const services = {
  async placeOrder(): Promise<void> {
    const client = await pool.connect();
    clients.push(client);
    await client.query('SELECT balance FROM account WHERE owner = $1', ['ada']);
  },
  async exportReport(): Promise<void> {
    clients.push(await pool.connect());
  },
};

/** Two leases of one call site, a younger one of another, and somebody who waits. */
async function fill(): Promise<void> {
  const request = openRequest('POST /orders/:id', clock);
  await request.run(() => services.placeOrder());
  clock.advance(1000);
  await services.placeOrder();
  clock.advance(1000);
  await services.exportReport();
  for (let seconds = 0; seconds < 4; seconds++) {
    clock.advance(1000);
    await clients[1]!.query('SELECT 1');
  }
  void pool.connect().then((client) => client.release());
  clock.advance(1000);
}

async function status() {
  const response = await fetch(`${app.url}?format=json`, {
    headers: { authorization: `Bearer ${password}` },
  });
  return { app: readStatus(await response.text())!, server: undefined };
}

const sites = (lines: readonly string[]): string[] =>
  lines.flatMap((line) => /(placeOrder|exportReport) \(test/.exec(line)?.[1] ?? []);

describe('keys', () => {
  const press = (keys: string, from: ViewState = FIRST_STATE) =>
    keys
      .split('')
      .reduce<ViewState | 'quit'>((state, key) => (state === 'quit' ? state : pressed(key, state)), from);

  test('a, i and s sort, g groups, p pauses, in either case; others do nothing', () => {
    expect(press('i')).toMatchObject({ sortBy: 'idle' });
    expect(press('is')).toMatchObject({ sortBy: 'site' });
    expect(press('sa')).toMatchObject({ sortBy: 'age' });
    expect(press('I')).toMatchObject({ sortBy: 'idle' });
    expect(press('g')).toMatchObject({ rows: 'sites' });
    expect(press('gg')).toEqual(FIRST_STATE);
    expect(press('p')).toMatchObject({ isPaused: true });
    expect(press(' ')).toMatchObject({ isPaused: true });
    expect(press('xyz?')).toBe(FIRST_STATE);
    expect(pressed('constructor', FIRST_STATE)).toBe(FIRST_STATE);
  });

  test('q and Ctrl-C quit', () => {
    expect(press('q')).toBe('quit');
    expect(press('iq')).toBe('quit');
    expect(press('\x03')).toBe('quit');
  });

  test('arrows scroll, not above the first row; a new order begins at the top', () => {
    const down = pressed('\x1b[B', FIRST_STATE) as ViewState;
    expect(down.offset).toBe(5);
    expect(pressed('\x1b[A', pressed('\x1b[A', down) as ViewState)).toMatchObject({ offset: 0 });
    expect(pressed('i', down)).toMatchObject({ offset: 0 });
  });
});

describe('frames', () => {
  const whole = { width: undefined, height: undefined, colours: plain };

  test('what is in use, who waits, and the leases in the order that was asked for', async () => {
    await fill();
    const snapshot = await status();
    const byAge = frameOf(snapshot, FIRST_STATE, whole);

    expect(byAge[0]).toMatch(/^shop {2}test {2}shop-1 {3}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
    expect(byAge[1]).toBe(
      'orders  [####################]  3 of 3 in use, 0 idle, 1 waiting (oldest 1.0 s), wait p95 0 ms, 0 leaked, 0 timeouts',
    );
    expect(sites(byAge)).toEqual(['placeOrder', 'placeOrder', 'exportReport']);
    expect(byAge.join('\n')).toContain('POST /orders/:id');
    expect(sites(frameOf(snapshot, { ...FIRST_STATE, sortBy: 'idle' }, whole))).toEqual([
      'placeOrder',
      'exportReport',
      'placeOrder',
    ]);
    expect(sites(frameOf(snapshot, { ...FIRST_STATE, sortBy: 'site' }, whole))).toEqual([
      'exportReport',
      'placeOrder',
      'placeOrder',
    ]);
    const grouped = frameOf(snapshot, { ...FIRST_STATE, rows: 'sites' }, whole);
    expect(sites(grouped)).toEqual(['placeOrder', 'exportReport']);
    expect(grouped.find((line) => line.includes('placeOrder'))).toMatch(/^2 /);
  });

  test.each([
    [40, 10],
    [80, 24],
    [200, 50],
  ])(
    'in %d columns and %d lines nothing is too wide or too high, and the last line names the keys',
    async (width, height) => {
      await fill();
      const lines = frameOf(await status(), FIRST_STATE, { width, height, colours: plain });

      expect(lines.length).toBeLessThanOrEqual(height);
      for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
      expect(lines.at(-1)).toMatch(/^a age · i idle · s site/);
      expect(lines.some((line) => line.startsWith('Age'))).toBe(true);
    },
  );

  test('whoever scrolls too far sees the last rows', async () => {
    await fill();
    const size = { width: 100, height: 24, colours: plain };
    const lines = frameOf(await status(), { ...FIRST_STATE, offset: 1000 }, size);
    expect(sites(lines)).toHaveLength(3);
  });

  test('a control character in a label cannot steer the terminal', async () => {
    const request = openRequest('GET /\x1b]0;pwned\x07\n\x1b[2J', clock);
    await request.run(() => services.placeOrder());

    const { app: seen } = await status();
    const snapshot = { app: { ...seen, service: 'shop\x1b[31m' }, server: undefined };
    const text = frameOf(snapshot, FIRST_STATE, whole).join('\n');
    expect(text).toContain('shop\\x1b[31m');
    expect(text).toContain('GET /\\x1b]0;pwned\\x07 \\x1b[2J');
    expect(text).not.toContain('\x1b');
  });
});

describe('--app', () => {
  const env = { HOLDFAST_APP_PASSWORD: password };

  test('--once prints what the page shows, while the pool is full', async () => {
    await fill();
    const at = project();
    const { exitCode, stdout, stderr } = await at.run(['pool', 'top', '--app', app.url, '--once'], { env });

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('3 of 3 in use, 0 idle, 1 waiting');
    expect(sites(stdout.split('\n'))).toEqual(['placeOrder', 'placeOrder', 'exportReport']);
    expect(pool.waitingCount).toBe(1);
  });

  test('as a process of its own, which ends; without a terminal --once is not needed', async () => {
    await services.placeOrder();
    const { exitCode, stdout } = await project().start(['pool', 'top', '--app', app.url], { env }).ended;
    expect(exitCode).toBe(0);
    expect(sites(stdout.split('\n'))).toEqual(['placeOrder']);
  });

  test('--json is the status', async () => {
    await services.placeOrder();
    const { last, exitCode } = await project().json(['pool', 'top', '--app', app.url], { env });
    expect(exitCode).toBe(0);
    expect(last).toMatchObject({
      kind: 'result',
      command: 'pool',
      app: { holdfast: 1, service: 'shop', pools: [{ pool: 'orders', counts: { inUse: 1 } }] },
      server: null,
    });
  });

  test('the password in the address works as well, and is never shown', async () => {
    const { host } = new URL(app.url);
    const right = await project().run(['pool', 'top', '--app', `http://ops:${password}@${host}/`]);
    expect(right).toMatchObject({ exitCode: 0, stderr: '' });
    const wrong = await project().run(['pool', 'top', '--app', `http://ops:not-${password}@${host}/`]);
    expect(wrong.exitCode).toBe(1);
    expect(wrong.stderr).toContain(`http://${host}/ answers 404`);
    expect(wrong.stderr).toContain('HOLDFAST_APP_PASSWORD');
    expect(wrong.stderr).not.toContain(password);
  });

  test('what does not answer, and what is no status page', async () => {
    const dead = await serve(() => undefined);
    await dead.close();
    expect(await project().run(['pool', 'top', '--app', dead.url])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('does not answer (ECONNREFUSED)'),
    });
    const other = await serveOther((_, response) => response.end('<html>'));
    expect(await project().run(['pool', 'top', '--app', other])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('not what a status page of holdfast does'),
    });
  });

  test('a redirect is not followed', async () => {
    const seen: string[] = [];
    const location = await serveOther((request, response) => {
      seen.push(request.headers.authorization ?? 'nothing');
      response.end();
    });
    const redirecting = await serveOther((_, response) => response.writeHead(302, { location }).end());
    const { exitCode } = await project().run(['pool', 'top', '--app', redirecting], { env });
    expect(exitCode).toBe(1);
    expect(seen).toEqual([]);
  });

  test('a DATABASE_URL beside it is not used', async () => {
    const { exitCode, stderr } = await project().run(['pool', 'top', '--app', app.url], {
      env: { ...env, DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nowhere' },
    });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  });
});

test.each([
  [['pool'], "missing required argument 'view'"],
  [['pool', 'bottom'], 'Allowed choices are top'],
  [['pool', 'top'], 'Nothing says what to look at'],
  [['pool', 'top', '--app', 'localhost:3000'], '--app must be the address of a status page'],
  [['pool', 'top', '--app', 'http://localhost', '--every', '1ms'], '--every must be at least 250ms'],
  [['pool', 'top', '--url', 'oracle://x'], 'must begin with postgres:, mysql: or mariadb:'],
])('%j is a usage error', async (args, message) => {
  const { exitCode, stderr } = await project().run(args);
  expect(exitCode).toBe(64);
  expect(stderr).toContain(message);
});

describe.each(servers)('--url on $name', (server) => {
  test('the share of max_connections, over a connection of its own', async () => {
    const { exitCode, stdout, stderr } = await project().start(['pool', 'top', '--once', '--url', server.url])
      .ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(
      /(PostgreSQL|MariaDB) [\d.]+.*: \d+ of \d+ connections, \d+ idle in a transaction, \d+ blocked/,
    );
    const { last } = await project().json(['pool', 'top', '--url', server.url]);
    expect(last).toMatchObject({ exitCode: 0, app: null, server: { maxConnections: expect.any(Number) } });
  });
});

test('--url: who is idle in a transaction, and whom that blocks', async () => {
  const [holder, blocked] = [await db.client(), await db.client()];
  await holder.query('BEGIN; LOCK TABLE account');
  const waits = blocked.query('SELECT * FROM account');
  let stdout = '';
  while (!/1 blocked/.test(stdout))
    ({ stdout } = await project().run(['pool', 'top', '--once', '--url', db.url]));

  expect(stdout).toMatch(/idle in a transaction for .+: BEGIN; LOCK TABLE account/);
  expect(stdout).toMatch(/waits for .+ on \d+/);
  await holder.query('COMMIT');
  await waits;
});

test('--url: a server that lets nobody in is told, with what to do', async () => {
  const url = db.url.replace(/:\d+\//, ':1/');
  const { stdout, exitCode } = await project().run(['pool', 'top', '--once', '--url', url]);
  expect(exitCode).toBe(1);
  expect(stdout).toContain('The monitor has no connection to the server');
  expect(stdout).not.toContain(new URL(db.url).password);
});

describe('in a terminal', () => {
  /** The program with a terminal of our own; `until` waits for a frame that has the text. */
  function open(argv: readonly string[]) {
    const stdin = Object.assign(new PassThrough(), { isTTY: true, rawModes: [] as boolean[] });
    Object.assign(stdin, { setRawMode: (isRaw: boolean) => stdin.rawModes.push(isRaw) });
    const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 120, rows: 20 });
    const stderr = new PassThrough();
    let written = '';
    stdout.setEncoding('utf8').on('data', (text: string) => (written += text));
    const ended = runProgram(
      { name: 'holdfast', version: '0.0.0', argv },
      {
        env: { NO_COLOR: '1', HOLDFAST_APP_PASSWORD: password },
        cwd: project().folder,
        stdin,
        stdout,
        stderr,
      },
    );
    const frames = (): string[] => written.split('\x1b[H').slice(1);
    const until = async (condition: (frame: string) => boolean): Promise<string> => {
      for (;;) {
        const frame = frames().at(-1);
        if (frame !== undefined && condition(frame)) return frame;
        await once(stdout, 'data');
      }
    };
    return { stdin, ended, until, written: () => written };
  }

  test('it shows frames, sorts by keys, and leaves the terminal as it was', async () => {
    await fill();
    const screen = open(['pool', 'top', '--app', app.url, '--every', '250ms']);
    const first = await screen.until((frame) => frame.includes('3 of 3 in use'));
    expect(sites(first.split('\n'))).toEqual(['placeOrder', 'placeOrder', 'exportReport']);

    screen.stdin.write('s');
    await screen.until((frame) => sites(frame.split('\n'))[0] === 'exportReport');
    clients.pop()!.release();
    await screen.until((frame) => frame.includes('0 waiting'));
    screen.stdin.write('q');

    expect(await screen.ended).toBe(0);
    expect(screen.stdin.rawModes).toEqual([true, false]);
    expect(screen.written().startsWith('\x1b[?1049h\x1b[?25l')).toBe(true);
    expect(screen.written().endsWith('\x1b[?25h\x1b[?1049l')).toBe(true);
  });

  test('an application that goes away is told, with what was seen last, until it is back', async () => {
    await services.placeOrder();
    const { port } = new URL(app.url);
    const screen = open(['pool', 'top', '--app', app.url, '--every', '250ms']);
    await screen.until((frame) => frame.includes('1 of 3 in use'));
    await app.close();
    const gone = await screen.until((frame) => frame.includes('does not answer'));
    expect(gone).toContain('1 of 3 in use');

    app = await serve(statusPage(monitor, { authorize: passwordGuard(password) }), Number(port));
    await screen.until((frame) => !frame.includes('does not answer'));
    screen.stdin.write('\x03');
    expect(await screen.ended).toBe(0);
  });

  test('paused, it asks no more', async () => {
    const screen = open(['pool', 'top', '--app', app.url, '--every', '250ms']);
    await screen.until((frame) => frame.includes('0 of 3 in use'));
    screen.stdin.write('p');
    await screen.until((frame) => frame.includes('[paused]'));
    screen.stdin.write('q');
    expect(await screen.ended).toBe(0);
  });
});
