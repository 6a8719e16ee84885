import type { AddressInfo } from 'node:net';
import { Controller, Get, type INestApplication, type ModuleMetadata, Param, Post } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import type { Pool, PoolClient } from 'pg';
import * as client from 'prom-client';
import { DataSource, type QueryRunner } from 'typeorm';
import { InvalidOptionsError, managedPool, setLogger } from 'holdfast';
import { HoldfastHealthIndicator, HoldfastModule, type PoolMonitorModuleOptions } from 'holdfast/nestjs';
import { passwordGuard, PoolMonitor, readStatus } from 'holdfast/pool-monitor';
import { ManualClock } from 'holdfast/testing';
import { useDatabase } from '../harness/database.js';
import { closeAtEnd, RecordingLogger, typeormImports } from './application.js';

const db = useDatabase();
const logger = new RecordingLogger();
const held: QueryRunner[] = [];
const raw: PoolClient[] = [];
let clock: ManualClock;

beforeEach(() => {
  clock = new ManualClock();
  logger.lines.length = 0;
});
afterEach(async () => {
  for (const runner of held.splice(0)) await runner.release();
  setLogger(undefined);
});

@Controller('orders')
class OrderController {
  constructor(private readonly dataSource: DataSource) {}

  /** Takes a connection and gives it back on no path. */
  @Post(':id/items')
  async leak(@Param('id') id: string): Promise<object> {
    const runner = this.dataSource.createQueryRunner();
    held.push(runner);
    await runner.connect();
    await runner.query('SELECT $1::text AS id', [id]);
    return {};
  }

  /** The same past TypeORM, which would release its own query runners when it is destroyed. */
  @Post(':id/raw')
  async leakRaw(): Promise<object> {
    const { master } = this.dataSource.driver as unknown as { master: Pool };
    raw.push(await master.connect());
    return {};
  }

  @Get('count')
  async count(): Promise<object> {
    return { rows: await this.dataSource.query('SELECT count(*)::int AS count FROM entry') };
  }
}

interface Setup {
  readonly poolMonitor?: PoolMonitorModuleOptions;
  readonly platform?: string;
  readonly max?: number;
  readonly shutdownTimeoutMs?: number;
  readonly metadata?: ModuleMetadata;
}

async function start({
  poolMonitor,
  platform,
  max = 2,
  shutdownTimeoutMs,
  metadata,
}: Setup): Promise<{ app: INestApplication; url: string }> {
  const module = await Test.createTestingModule({
    imports: [
      HoldfastModule.forRoot({
        logger,
        ...(poolMonitor && { poolMonitor }),
        ...(shutdownTimeoutMs !== undefined && { shutdownTimeoutMs }),
      }),
      ...typeormImports(db, { extra: { max } } as never),
      ...(metadata?.imports ?? []),
    ],
    controllers: [OrderController, ...(metadata?.controllers ?? [])],
    providers: metadata?.providers ?? [],
  }).compile();
  const application =
    platform === 'fastify'
      ? module.createNestApplication(new FastifyAdapter(), { logger: false })
      : module.createNestApplication({ logger: false });
  const app = closeAtEnd(db, application);
  app.setGlobalPrefix('api');
  await app.listen(0, '127.0.0.1');
  return { app, url: `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}` };
}

const post = (url: string): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { connection: 'close' } });

const password = 'a-password-of-the-operators';
const authorization = `Bearer ${password}`;

describe.each(['express', 'fastify'])('on %s', (platform) => {
  test('a lease carries the route of its request, not the URL, and knows that the request is over', async () => {
    const { app, url } = await start({ platform, poolMonitor: { clock } });
    expect((await post(`${url}/api/orders/4711/items?token=secret`)).status).toBe(201);

    const [pool] = app.get(PoolMonitor).report().pools;
    expect(pool!.leases).toMatchObject([{ kind: 'client', request: 'POST /api/orders/:id/items' }]);
    expect(pool!.leases[0]!.site).toMatch(
      /^OrderController\.leak \(test\/nestjs\/pool-monitor\.test\.ts:\d+\)$/,
    );
    const [lease] = managedPool().leases();
    while (lease!.request!.endedAt === undefined) await new Promise((resolve) => setImmediate(resolve));
    expect(lease!.request!.label).toBe('POST /api/orders/:id/items');
  });

  test('requests at the same time do not share a label', async () => {
    const { app, url } = await start({ platform, max: 4, poolMonitor: { clock } });
    await Promise.all([
      post(`${url}/api/orders/1/items`),
      fetch(`${url}/api/orders/count`, { headers: { connection: 'close' } }),
      post(`${url}/api/orders/2/items`),
    ]);

    const [pool] = app.get(PoolMonitor).report().pools;
    expect(pool!.leases.map(({ request }) => request)).toEqual([
      'POST /api/orders/:id/items',
      'POST /api/orders/:id/items',
    ]);
  });

  test('labelRequests: false labels nothing', async () => {
    const { app, url } = await start({ platform, poolMonitor: { clock, labelRequests: false } });
    await post(`${url}/api/orders/1/items`);
    expect(app.get(PoolMonitor).report().pools[0]!.leases[0]!.request).toBeUndefined();
  });

  test('the status page answers while the pool is full, and those alone who may see it', async () => {
    const statusPage = { path: '/internal/pools', authorize: passwordGuard(password) };
    const { url } = await start({ platform, poolMonitor: { clock, service: 'shop', statusPage } });
    await Promise.all([post(`${url}/api/orders/1/items`), post(`${url}/api/orders/2/items`)]);
    const waits = fetch(`${url}/api/orders/count`, { headers: { connection: 'close' } });
    while (managedPool().counts().pending === 0) await new Promise((resolve) => setImmediate(resolve));

    expect((await fetch(`${url}/internal/pools`)).status).toBe(404);
    expect((await fetch(`${url}/internal/pools?format=json`)).status).toBe(404);
    const response = await fetch(`${url}/internal/pools?format=json`, { headers: { authorization } });
    const status = readStatus(await response.text());
    expect(status).toMatchObject({ service: 'shop', pools: [{ counts: { inUse: 2, max: 2, pending: 1 } }] });
    const page = await fetch(`${url}/internal/pools`, { headers: { authorization } });
    expect(await page.text()).toContain('2 of 2');
    expect(page.headers.get('content-security-policy')).toContain(`default-src 'none'`);

    for (const runner of held.splice(0)) await runner.release();
    expect((await waits).status).toBe(200);
  });

  test('there is no status page unless it is asked for', async () => {
    const { url } = await start({ platform, poolMonitor: { clock } });
    for (const path of ['/internal/pools', '/status', '/'])
      expect((await fetch(url + path, { headers: { authorization } })).status).toBe(404);
  });
});

test('without poolMonitor there is no monitor, and leases carry no request', async () => {
  const { app, url } = await start({});
  await post(`${url}/api/orders/1/items`);
  expect(app.get(PoolMonitor)).toBeUndefined();
  expect(managedPool().leases()[0]!.request).toBeUndefined();
  expect(() => app.get(HoldfastHealthIndicator).isHealthy('pools')).toThrow(
    'HoldfastModule.forRoot({ poolMonitor: { … } })',
  );
});

test('the metrics go to the registry of prom-client, until the application is closed', async () => {
  const register = new client.Registry();
  const { app, url } = await start({ poolMonitor: { clock, prometheus: { client, register } } });
  await post(`${url}/api/orders/1/items`);

  expect(await register.metrics()).toContain(
    'db_client_connection_count{db_client_connection_pool_name="default",db_client_connection_state="used"} 1',
  );
  for (const runner of held.splice(0)) await runner.release();
  await app.close();
  expect((await register.metrics()).trim()).toBe('');
});

describe('the health indicator', () => {
  @Controller('health')
  class HealthController {
    constructor(
      private readonly health: HealthCheckService,
      private readonly pools: HoldfastHealthIndicator,
    ) {}

    @Get()
    @HealthCheck()
    check() {
      return this.health.check([() => this.pools.isHealthy('pools')]);
    }

    @Get('strict')
    @HealthCheck()
    strict() {
      return this.health.check([() => this.pools.isHealthy('pools', { degradedAs: 'down' })]);
    }
  }
  const metadata = { imports: [TerminusModule], controllers: [HealthController] };

  test('is degraded while the pool is exhausted, and asks it for no connection', async () => {
    const { url } = await start({ metadata, poolMonitor: { clock } });
    const health = async (path = ''): Promise<[number, unknown]> => {
      const response = await fetch(`${url}/api/health${path}`);
      return [response.status, await response.json()];
    };
    expect(await health()).toEqual([
      200,
      expect.objectContaining({
        status: 'ok',
        details: {
          pools: {
            status: 'up',
            pools: { default: { inUse: 0, max: 2, idle: 1, waiting: 0, problems: [] } },
          },
        },
      }),
    ]);

    await Promise.all([post(`${url}/api/orders/1/items`), post(`${url}/api/orders/2/items`)]);
    const waits = fetch(`${url}/api/orders/count`, { headers: { connection: 'close' } });
    while (managedPool().counts().pending === 0) await new Promise((resolve) => setImmediate(resolve));
    for (let seconds = 0; seconds < 6; seconds++) clock.advance(1000);

    const pools = { default: { inUse: 2, max: 2, idle: 0, waiting: 1, problems: ['exhausted'] } };
    expect(await health()).toEqual([
      200,
      expect.objectContaining({ status: 'degraded', details: { pools: { status: 'degraded', pools } } }),
    ]);
    expect(await health('/strict')).toEqual([
      503,
      expect.objectContaining({ status: 'error', details: { pools: { status: 'down', pools } } }),
    ]);
    expect(managedPool().counts().pending).toBe(1);

    for (const runner of held.splice(0)) await runner.release();
    await waits;
  });

  test('without terminus 12 the word is down', async () => {
    const { app, url } = await start({ poolMonitor: { clock } });
    await Promise.all([post(`${url}/api/orders/1/items`), post(`${url}/api/orders/2/items`)]);
    const waits = fetch(`${url}/api/orders/count`, { headers: { connection: 'close' } });
    while (managedPool().counts().pending === 0) await new Promise((resolve) => setImmediate(resolve));
    for (let seconds = 0; seconds < 6; seconds++) clock.advance(1000);

    const indicator = app.get(HoldfastHealthIndicator);
    expect(indicator.isHealthy('db').db.status).toBe('down');
    expect(indicator.isHealthy('db', { degradedAs: 'up' }).db.status).toBe('up');
    for (const runner of held.splice(0)) await runner.release();
    await waits;
  });
});

describe('app.close() while the pool is exhausted', () => {
  test.each([{ poolMonitor: {} }, {}])(
    'ends within its limit and names who still holds what: %o',
    async ({ poolMonitor }) => {
      const { app, url } = await start({ shutdownTimeoutMs: 150, ...(poolMonitor && { poolMonitor }) });
      await Promise.all([post(`${url}/api/orders/1/raw`), post(`${url}/api/orders/2/raw`)]);
      const waits = fetch(`${url}/api/orders/count`, { headers: { connection: 'close' } });
      while (managedPool().counts().pending === 0) await new Promise((resolve) => setImmediate(resolve));

      const begun = Date.now();
      await app.close();
      expect(Date.now() - begun).toBeLessThan(10_000);

      // Its connection came from what was taken back.
      expect((await waits).status).toBe(200);
      const who = poolMonitor
        ? /OrderController\.leakRaw \(test\/nestjs\/pool-monitor\.test\.ts:\d+\) still held a connection of pool "default", taken \d+ ms ago, 150 ms after shutdown began; it is closed$/
        : /somebody still held a connection of pool "default"/;
      const warned = logger.lines.filter(({ level }) => level === 'warn');
      expect(warned).toHaveLength(2);
      for (const { message, fields } of warned) {
        expect(message).toMatch(who);
        expect(fields).toMatchObject({ pool: 'default', limitMs: 150 });
      }
      for (const each of raw.splice(0))
        await expect(each.query('SELECT 1')).rejects.toThrow(/still held a connection of pool "default"/);
    },
  );

  test('a connection that leaks during the shutdown is taken back as well', async () => {
    const { app, url } = await start({ max: 1, shutdownTimeoutMs: 100, poolMonitor: {} });
    await post(`${url}/api/orders/1/raw`);
    const leaksNext = post(`${url}/api/orders/2/raw`);
    while (managedPool().counts().pending === 0) await new Promise((resolve) => setImmediate(resolve));

    await app.close();
    expect((await leaksNext).status).toBe(201);
    const messages = logger.lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
    expect(messages).toEqual([
      expect.stringContaining('100 ms after shutdown began'),
      expect.stringContaining('600 ms after shutdown began'),
    ]);
    raw.length = 0;
  });
});

describe('options', () => {
  test.each<[string, object, string]>([
    ['no object', true as never, 'HoldfastModule options.poolMonitor must be an options object'],
    ['an unknown one', { sweepEvery: 5 }, 'has no option "sweepEvery"'],
    [
      'a page without a guard',
      { statusPage: { path: '/status' } },
      'statusPage.authorize must be a function',
    ],
    ['a page without a path', { statusPage: { authorize: () => true } }, 'statusPage.path must be a path'],
    [
      'a page at a pattern',
      { statusPage: { path: '/status/:id', authorize: () => true } },
      'statusPage.path must be a path',
    ],
    ['a flag that is none', { labelRequests: 'yes' }, 'poolMonitor.labelRequests must be true or false'],
  ])('%s is refused at once', (_, poolMonitor, message) => {
    const forRoot = () => HoldfastModule.forRoot({ poolMonitor: poolMonitor as never });
    expect(forRoot).toThrow(InvalidOptionsError);
    expect(forRoot).toThrow(message);
  });

  test('they go on to createPoolMonitor', async () => {
    const { app } = await start({
      poolMonitor: { clock, service: 'shop', environment: 'test', version: '1.2.3', instance: 'a' },
    });
    expect(app.get(PoolMonitor).report()).toMatchObject({
      service: 'shop',
      environment: 'test',
      version: '1.2.3',
      instance: 'a',
    });
  });

  test('imported twice, with the options in one place, there is one monitor', async () => {
    const module = await Test.createTestingModule({
      imports: [
        HoldfastModule.forRoot(),
        HoldfastModule.forRoot({ poolMonitor: { clock, service: 'shop' } }),
        ...typeormImports(db),
      ],
      controllers: [OrderController],
    }).compile();
    const app = closeAtEnd(db, module.createNestApplication({ logger: false }));
    await app.listen(0, '127.0.0.1');
    await post(`http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}/orders/1/items`);

    const { pools } = app.get(PoolMonitor).report();
    expect(pools.map(({ pool }) => pool)).toEqual(['default']);
    expect(pools[0]!.leases).toMatchObject([{ request: 'POST /orders/:id/items' }]);
  });

  test('forRootAsync supplies them', async () => {
    const module = await Test.createTestingModule({
      imports: [
        HoldfastModule.forRootAsync({
          useFactory: async () => ({ poolMonitor: { clock, service: 'shop' } }),
        }),
        ...typeormImports(db),
      ],
    }).compile();
    const app = await closeAtEnd(db, module).init();
    expect(app.get(PoolMonitor).report().service).toBe('shop');
  });
});
