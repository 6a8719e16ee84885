import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import type { Pool, PoolClient } from 'pg';
import {
  createPoolMonitor,
  functionSink,
  lookAtServer,
  type MonitorView,
  openRequest,
  passwordGuard,
  type PoolMonitor,
  type ServerReport,
  statusPage,
} from 'holdfast/pool-monitor';
import { ManualClock } from 'holdfast/testing';
import { useChromium } from '../../harness/chromium.js';
import { useDatabase } from '../../harness/database.js';
import { serve } from './page-server.js';
import { OrderService, ReportService } from './shop.service.js';

const db = useDatabase();
const browser = useChromium();
const image = join(__dirname, '../../../docs/images/status-page.png');

let clock: ManualClock;
let pool: Pool;
let monitor: PoolMonitor;
let page: Page;
let url: string;
let closeServer: () => Promise<void>;
/** Ends what the test has left in the pool, also where it failed. */
let giveBack = async (): Promise<void> => undefined;
/** What the browser complained about: what the policy of the page refuses, above all. */
const complaints: string[] = [];

/** What the server said, where a test has asked it: on a clock that is moved by hand nobody looks by the minute. */
let server: ServerReport | undefined;

function viewOf(of: PoolMonitor): MonitorView {
  return Object.assign(Object.create(of) as PoolMonitor, {
    report: () => ({ ...of.report(), ...(server && { servers: new Map([[server.pool, server]]) }) }),
    metrics: () => of.metrics(),
    history: (pool: string) => of.history(pool),
    alerts: () => of.alerts(),
  });
}

async function open(name: string, max: number): Promise<void> {
  clock = new ManualClock();
  pool = db.pool({ max, application_name: 'shop' });
  const start = Date.UTC(2026, 0, 31, 12);
  monitor = createPoolMonitor({
    service: 'shop',
    environment: 'production',
    version: '4f1c2ab',
    instance: 'shop-7d9f:1',
    clock,
    wallClock: () => start + clock.now(),
    server: { mode: 'off' },
    alerts: { sinks: [functionSink(() => undefined, { name: 'team' })] },
  }).start();
  monitor.watch(pool, { name });
  ({ url, close: closeServer } = await serve(statusPage(viewOf(monitor), { authorize: () => true })));
  page = await browser.context.newPage();
  complaints.length = 0;
  server = undefined;
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
}
afterEach(async () => {
  await giveBack();
  giveBack = async () => undefined;
  await page.close();
  await closeServer();
  await monitor.stop();
});

function pass(seconds: number): void {
  for (let each = 0; each < seconds; each++) clock.advance(1000);
}

test('a script in a pool, label, call site or statement stays text', async () => {
  const evil = '<img src=x onerror="window.pwned=1">';
  await open(`orders"><script>window.pwned=1</script>`, 2);
  const services = {
    async [`<script>window.pwned=1</script>`](): Promise<PoolClient> {
      const client = await pool.connect();
      await client.query(`SELECT 1 AS "${evil.replaceAll('"', '')}"`);
      return client;
    },
  };
  const request = openRequest(`GET /${evil}`);
  const client = await request.run(() => Object.values(services)[0]!());
  request.end();
  giveBack = async () => client.release();
  pass(130);

  await page.goto(`${url}?refresh=off`);
  expect(await page.evaluate('window.pwned')).toBeUndefined();
  expect(await page.locator('script, img, iframe, link, object, embed').count()).toBe(0);
  const text = await page.locator('main').innerText();
  expect(text).toContain('Pool orders"><script>window.pwned=1</script>');
  expect(text).toContain(`in GET /${evil}`);
  expect(text).toContain('<img src=x onerror=window.pwned=1>');
  expect(text).toMatch(/<script>window\.pwned=1<\/script> ?\(?/);
  expect(await page.title()).toContain('leak: orders"><script>');
  expect(complaints).toEqual([]);
});

test('the policy lets the stylesheet of the page apply, and no other', async () => {
  await open('orders', 2);
  await page.goto(`${url}?refresh=off`);
  const radius = `getComputedStyle(document.querySelector('section')).borderRadius`;
  expect(await page.evaluate(radius)).toBe('8px');
  expect(complaints).toEqual([]);

  const refused = await page.evaluate(`(() => {
    const script = document.createElement('script');
    script.textContent = 'window.pwned = 1';
    document.body.append(script);
    const style = document.createElement('style');
    style.textContent = 'section { border-radius: 3px !important }';
    document.head.append(style);
    return [window.pwned, ${radius}];
  })()`);
  expect(refused).toEqual([undefined, '8px']);
});

test('it is read by a browser that was asked for the password', async () => {
  await open('orders', 2);
  const guarded = await serve(
    statusPage(monitor, { authorize: passwordGuard('0123456789abcdef'), denied: 401 }),
  );
  try {
    const { port } = new URL(guarded.url);
    await page.goto(`http://ops:0123456789abcdef@127.0.0.1:${port}/?refresh=off`);
    expect(await page.locator('h2').first().innerText()).toBe('Pool orders');
  } finally {
    await guarded.close();
  }
});

/** An hour of a service that begins to leak half-way. */
async function anHour(orders: OrderService, reports: ReportService): Promise<PoolClient[]> {
  let busy: PoolClient[] = [];
  for (let minute = 0; minute < 60; minute++) {
    for (const client of busy.splice(0)) client.release();
    if (minute >= 34 && minute % 3 === 1) {
      const request = openRequest('POST /orders/:id');
      await request.run(() => orders.place());
      request.end();
    }
    const wanted = Math.min(1 + ((minute * 7) % 4), 10 - orders.leaked.length);
    busy = await Promise.all(Array.from({ length: wanted }, () => reports.export()));
    for (let step = 0; step < 6; step++) {
      for (const client of busy) await client.query('SELECT 1');
      pass(10);
    }
  }
  return busy;
}

test('an hour that ends in an exhausted pool, as the picture in the documentation shows it', async () => {
  await open('orders', 10);
  const [orders, reports] = [new OrderService(pool), new ReportService(pool)];
  const busy = await anHour(orders, reports);
  const waiting = Array.from({ length: 3 }, () => reports.export());
  giveBack = async () => {
    for (const client of [...orders.leaked.splice(0), ...busy]) {
      await client.query('ROLLBACK');
      client.release();
    }
    for (const client of await Promise.all(waiting)) client.release();
  };
  pass(8);
  const look = await lookAtServer(pool, { name: 'orders', instance: 'shop-7d9f:1' });
  server = await look.read(monitor.report().pools[0]!.leases);
  await look.close();

  await page.goto(`${url}?refresh=off`);
  const text = await page.locator('main').innerText();
  expect(text).toMatch(/exhausted\n+Pool "orders" has 10 of 10 connections in use and 3 callers waiting/);
  expect(text).toMatch(/leak: OrderService\.place \(test\/pool-monitor\/views\/shop\.service\.ts:\d+\)/);
  expect(text).toContain('in POST /orders/:id');
  expect(text).toContain('leaked, idle, in a transaction');
  expect(text).toMatch(/The server: PostgreSQL [\d.]+/);
  expect(text).toMatch(/\d+ of \d+ connections, 10 of them of this process/);
  expect(text).toMatch(/Idle inside a transaction\n[^]*\d+ OrderService\.place/);
  expect(text).toMatch(/critical\s+firing\s+.*leaked by OrderService\.place/);
  expect(await page.locator('svg .used').count()).toBe(1);
  expect(complaints).toEqual([]);

  if (process.env['HOLDFAST_UPDATE_IMAGES'] === '1') await page.screenshot({ path: image });
  expect(existsSync(image)).toBe(true);
  expect(statSync(image).size).toBeLessThan(200 * 1024);
});
