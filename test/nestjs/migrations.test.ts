import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Transactional } from 'holdfast';
import { createMigrator } from 'holdfast/migrations';
import { HoldfastModule } from 'holdfast/nestjs';
import type { Pool } from 'pg';
import { useDatabase } from '../harness/database.js';

const db = useDatabase({ schema: '' });
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-nest-migrations-'));
  writeFileSync(
    join(folder, 'V1__orders.sql'),
    'CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item text NOT NULL);',
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Brings the schema up before anything of the application is served. */
@Injectable()
class Schema implements OnModuleInit {
  constructor(@Inject(getDataSourceToken()) private readonly dataSource: DataSource) {}

  async onModuleInit(): Promise<void> {
    const pool = (this.dataSource.driver as unknown as { master: Pool }).master;
    await createMigrator({ pool, directories: [folder] }).up();
  }
}

@Injectable()
class Orders {
  constructor(private readonly dataSource: DataSource) {}

  @Transactional()
  async place(item: string): Promise<void> {
    await this.dataSource.query('INSERT INTO orders (item) VALUES ($1)', [item]);
  }
}

const start = async () => {
  const module = await Test.createTestingModule({
    imports: [
      TypeOrmModule.forRoot({ type: 'postgres', url: db.url, poolSize: 2 }),
      HoldfastModule.forRoot(),
    ],
    providers: [Schema, Orders],
  }).compile();
  return module.createNestApplication().init();
};

test('an application migrates in onModuleInit, on a connection of its own managed pool, and starts again with nothing to do', async () => {
  const first = await start();
  await first.get(Orders).place('pen');
  await first.close();
  const second = await start();
  await second.get(Orders).place('ink');
  await second.close();

  expect(await db.query('SELECT item FROM orders ORDER BY id')).toEqual([{ item: 'pen' }, { item: 'ink' }]);
  expect(await db.query('SELECT script, success FROM holdfast_schema_history')).toEqual([
    { script: 'V1__orders.sql', success: true },
  ]);
});
