import 'reflect-metadata';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';

const url = process.env['HOLDFAST_TEST_PG_URL'];
assert.ok(url, 'HOLDFAST_TEST_PG_URL names the PostgreSQL to run against');

@Injectable()
class Database {
  constructor(private readonly dataSource: DataSource) {}

  async name(): Promise<string> {
    const rows: { name: string }[] = await this.dataSource.query('SELECT current_database() AS name');
    return rows[0]?.name ?? '';
  }
}

@Module({ imports: [TypeOrmModule.forRoot({ type: 'postgres', url })], providers: [Database] })
class AppModule {}

void test('the application starts on PostgreSQL and ends by itself', async () => {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });

  assert.equal(await app.get(Database).name(), new URL(url).pathname.slice(1));
  await app.close();
});
