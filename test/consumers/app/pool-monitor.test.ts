import 'reflect-metadata';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Controller, Module, Param, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HoldfastHealthIndicator, HoldfastModule } from 'holdfast/nestjs';
import { managePool } from 'holdfast';
import { passwordGuard, PoolMonitor } from 'holdfast/pool-monitor';
import pg from 'pg';
import { serverUrl } from './application.js';

const pool = new pg.Pool({ connectionString: serverUrl, max: 2 });
const taken: pg.PoolClient[] = [];
const password = 'a-password-of-the-operators';

@Controller('orders')
class OrderController {
  @Post(':id/items')
  async leak(@Param('id') _id: string): Promise<object> {
    taken.push(await pool.connect());
    return {};
  }
}

@Module({
  imports: [
    HoldfastModule.forRoot({
      poolMonitor: {
        service: 'consumer',
        statusPage: { path: '/internal/pools', authorize: passwordGuard(password) },
      },
    }),
  ],
  controllers: [OrderController],
})
class AppModule {}

void test('the pool monitor of an application: labels by route, a guarded status page, a health indicator', async () => {
  managePool(pool, { name: 'consumer-pool' });
  const app = await NestFactory.create(AppModule, { logger: false });
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const headers = { connection: 'close' };

  assert.equal((await fetch(`${url}/orders/4711/items`, { method: 'POST', headers })).status, 201);
  const [watched] = app.get(PoolMonitor).report().pools;
  assert.equal(watched?.leases[0]?.request, 'POST /orders/:id/items');
  assert.match(watched?.leases[0]?.site ?? '', /OrderController\.leak/);

  assert.equal((await fetch(`${url}/internal/pools`, { headers })).status, 404);
  const authorization = `Bearer ${password}`;
  const page = await fetch(`${url}/internal/pools`, { headers: { ...headers, authorization } });
  assert.equal(page.status, 200);
  assert.match(await page.text(), /OrderController\.leak/);

  const health = app.get(HoldfastHealthIndicator).isHealthy('pools');
  assert.equal(health.pools.status, 'up');
  assert.equal(health.pools.pools['consumer-pool']?.inUse, 1);

  for (const client of taken) client.release();
  await app.close();
  await pool.end();
});
