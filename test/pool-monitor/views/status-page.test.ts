import { createPool } from 'mysql2';
import type { Pool } from 'pg';
import { InvalidOptionsError, type Logger, setLogger } from 'holdfast';
import {
  createPoolMonitor,
  passwordGuard,
  type PoolMonitor,
  readStatus,
  statusPage,
  type StatusPageOptions,
} from 'holdfast/pool-monitor';
import { ManualClock } from 'holdfast/testing';
import { useDatabase } from '../../harness/database.js';
import { serve } from './page-server.js';

const db = useDatabase();
const clock = new ManualClock();
let pool: Pool;
let monitor: PoolMonitor;
const close: (() => Promise<void>)[] = [];
const logged: string[] = [];
const logger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (_, message) => logged.push(message),
};

beforeEach(() => {
  logged.length = 0;
  setLogger(logger);
  pool = db.pool({ max: 2 });
  monitor = createPoolMonitor({ service: 'shop', version: '1.2.3', clock, server: { mode: 'off' } }).start();
  monitor.watch(pool, { name: 'orders' });
});
afterEach(async () => {
  setLogger(undefined);
  await Promise.all(close.splice(0).map((each) => each()));
  await monitor.stop();
});

async function page(options: StatusPageOptions = { authorize: () => true }): Promise<string> {
  const server = await serve(statusPage(monitor, options));
  close.push(server.close);
  return server.url;
}

describe('who may see it', () => {
  test.each<[string, StatusPageOptions['authorize']]>([
    ['answers false', () => false],
    ['answers a promise of false', async () => false],
    ['answers something else than true by mistake', () => ({ user: 'ada' }) as never],
    [
      'throws',
      () => {
        throw new Error('no session store');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no session store'))],
  ])('nobody is let in where authorize %s', async (how, authorize) => {
    const url = await page({ authorize });
    for (const method of ['GET', 'HEAD', 'POST', 'DELETE']) {
      const response = await fetch(url, { method });
      expect(response.status).toBe(404);
      expect(await response.text()).toBe(method === 'HEAD' ? '' : 'Not Found\n');
    }
    const word = 'holdfast: authorize() of the status page threw; the request was denied';
    expect(logged).toEqual(['throws', 'rejects'].includes(how) ? [word, word, word, word] : []);
  });

  test('with denied: 401 a browser is asked for a password', async () => {
    const response = await fetch(await page({ authorize: () => false, denied: 401 }));
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Basic /);
  });

  test('passwordGuard: as a bearer token, or as the password of Basic', async () => {
    const password = 'correct horse: battery';
    const url = await page({ authorize: passwordGuard(password), denied: 401 });
    const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
    const status = async (authorization?: string): Promise<number> =>
      (await fetch(url, { headers: authorization === undefined ? {} : { authorization } })).status;

    expect(await status(basic(`ada:${password}`))).toBe(200);
    expect(await status(basic(`:${password}`))).toBe(200);
    expect(await status(basic(password))).toBe(401);
    expect(await status(basic(`ada:${password}.`))).toBe(401);
    expect(await status('Bearer nobody-knows-this')).toBe(401);
    expect(await status('Digest nobody')).toBe(401);
    expect(await status()).toBe(401);
    const token = await page({ authorize: passwordGuard('0123456789abcdef') });
    expect((await fetch(token, { headers: { authorization: 'Bearer 0123456789abcdef' } })).status).toBe(200);
  });

  test('there is no page without authorize, and no guard without a password that is long enough', () => {
    expect(() => statusPage(monitor, {} as never)).toThrow(InvalidOptionsError);
    expect(() => statusPage(monitor, undefined as never)).toThrow('authorize must be a function');
    expect(() => statusPage(monitor, { authorize: () => true, denied: 403 as never })).toThrow('401 or 404');
    for (const password of [undefined, '', 'short'])
      expect(() => passwordGuard(password)).toThrow('at least 16 characters');
  });
});

describe('what it answers', () => {
  test('GET and HEAD only', async () => {
    const url = await page();
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      const response = await fetch(url, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('GET, HEAD');
    }
    const head = await fetch(url, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(1000);
    expect(await head.text()).toBe('');
  });

  test('headers: nothing is loaded, nothing runs, nothing is kept, nobody frames it', async () => {
    const { headers } = await fetch(await page());
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
    );
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
  });

  test('while the pool is full: who holds it and who waits, without one request more', async () => {
    const url = await page();
    const clients = [await pool.connect(), await pool.connect()];
    await clients[0]!.query('SELECT count(*) FROM account WHERE owner = $1', ['ada']);
    const waits = pool.connect();
    clock.advance(2000);

    const text = await (await fetch(url)).text();
    expect(text).toContain('2 of 2');
    expect(text).toContain('SELECT count(*) FROM account WHERE owner = $1');
    expect(text).not.toContain('ada');
    expect(pool.waitingCount).toBe(1);

    for (const client of clients) client.release();
    (await waits).release();
  });

  test('?format=json is what the page shows, and reads back', async () => {
    const url = await page();
    const client = await pool.connect();
    for (let seconds = 0; seconds < 130; seconds++) clock.advance(1000);

    const response = await fetch(`${url}?format=json`);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const status = readStatus(await response.text())!;
    expect(status).toMatchObject({ holdfast: 1, service: 'shop', version: '1.2.3' });
    expect(status.alerts).toMatchObject([{ status: 'firing', outcomes: [{ sink: 'log', outcome: 'sent' }] }]);
    const [orders] = status.pools;
    expect(orders).toMatchObject({ pool: 'orders', leaked: 1, suspected: 0, timeouts: 0 });
    expect(orders!.findings.map(({ kind }) => kind)).toEqual(['leak']);
    expect(orders!.leases).toMatchObject([{ kind: 'client', verdict: 'leak', ageMs: 130_000 }]);
    expect(orders!.history.length).toBeGreaterThanOrEqual(13);
    client.release();
  });

  test('a pool without a limit survives JSON', async () => {
    const unlimited = createPool({ host: '127.0.0.1', connectionLimit: 0 });
    monitor.watch(unlimited, { name: 'unlimited' });
    const url = await page();

    const status = readStatus(await (await fetch(`${url}?format=json`)).text())!;
    expect(status.pools.map(({ counts }) => counts.max)).toEqual([2, Infinity]);
    expect(await (await fetch(url)).text()).toContain('0 of no limit');
    await new Promise((resolve) => unlimited.end(resolve));
  });

  test('it loads itself again, unless it is told not to', async () => {
    const url = await page();
    expect(await (await fetch(url)).text()).toContain('http-equiv="refresh"');
    expect(await (await fetch(`${url}?refresh=off`)).text()).not.toContain('http-equiv="refresh"');
  });

  test('a monitor that fails is answered 500, without its error', async () => {
    const broken = Object.assign(Object.create(monitor), {
      report: () => {
        throw new Error('secret detail');
      },
    }) as PoolMonitor;
    const server = await serve(statusPage(broken, { authorize: () => true }));
    close.push(server.close);

    const response = await fetch(server.url);
    expect(response.status).toBe(500);
    expect(await response.text()).toBe('The status page could not be made.\n');
    expect(logged).toEqual([expect.stringContaining('the status page could not be made')]);
  });
});

test.each(['', '{', 'null', '[]', '{"holdfast":2,"pools":[]}', '{"holdfast":1}', '<html>'])(
  'what is no status is not read as one: %j',
  (text) => {
    expect(readStatus(text)).toBeUndefined();
  },
);
