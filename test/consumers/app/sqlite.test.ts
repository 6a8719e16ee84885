import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import { runInTransaction, SelfDeadlockError } from 'holdfast';
import { HoldfastModule } from 'holdfast/nestjs';
import { Entry, EntryService, events, Listening, Topic } from './application.js';

const load = createRequire(join(process.cwd(), 'package.json'));

for (const type of ['better-sqlite3', 'sqljs'] as const) {
  void describe(`TypeORM on ${type}`, () => {
    void test('a transaction over every way in is one, and one rollback undoes all of it', () =>
      onSqlite(type, async ({ service, labels }) => {
        const add = (end: 'fail' | 'return'): Promise<void> =>
          service.inTransaction(async ({ entries, manager, dataSource }) => {
            await entries.save({ label: 'by a repository' });
            await manager.insert(Entry, { label: 'by a manager' });
            await dataSource.query("INSERT INTO entry (label) VALUES ('by the data source')");
            if (end === 'fail') throw new Error('too late');
          });

        await assert.rejects(add('fail'), /too late/);
        assert.deepEqual(await labels(), []);
        await add('return');
        assert.deepEqual(await labels(), ['by a repository', 'by a manager', 'by the data source']);
      }));

    void test('two at once take turns, and do not mix', () =>
      onSqlite(type, async ({ service, labels }) => {
        const pair = (name: string): Promise<void> =>
          service.inTransaction(async ({ entries }) => {
            await entries.save({ label: `${name}1` });
            await new Promise(setImmediate);
            await entries.save({ label: `${name}2` });
            if (name === 'b') throw new Error('b failed');
          });
        const ends = await Promise.allSettled(['a', 'b', 'c'].map(pair));
        assert.deepEqual(
          ends.map(({ status }) => status),
          ['fulfilled', 'rejected', 'fulfilled'],
        );
        assert.deepEqual(await labels(), ['a1', 'a2', 'c1', 'c2']);
      }));

    void test('a hand-written QueryRunner and a NESTED method inside are savepoints', () =>
      onSqlite(type, async ({ service, labels }) => {
        await service.inTransaction(async ({ dataSource }) => {
          await assert.rejects(service.nested('inner 1', 'fail'), /inner 1 failed/);
          for (const end of ['rollbackTransaction', 'commitTransaction'] as const) {
            const runner = dataSource.createQueryRunner();
            await runner.startTransaction();
            await runner.manager.insert(Entry, { label: end });
            await runner[end]();
            await runner.release();
          }
        });
        assert.deepEqual(await labels(), ['commitTransaction']);
      }));

    void test('hand-written transactions outside take turns as well', () =>
      onSqlite(type, async ({ service, labels }) => {
        const byHand = async (end: 'rollbackTransaction' | 'commitTransaction'): Promise<void> => {
          const runner = service.dataSource.createQueryRunner();
          await runner.startTransaction();
          await runner.manager.insert(Entry, { label: end });
          await runner[end]();
          await runner.release();
        };
        await Promise.all([byHand('rollbackTransaction'), byHand('commitTransaction')]);
        assert.deepEqual(await labels(), ['commitTransaction']);
      }));

    void test("subscribers hear of the transaction's boundary once", () =>
      onSqlite(type, async ({ service }) => {
        events.length = 0;
        await service.inTransaction(async ({ entries }) => void (await entries.save({ label: 'one' })));
        assert.deepEqual(events, ['before start', 'after start', 'before commit', 'after commit']);
      }));

    void test('REQUIRES_NEW inside, for which there is no second connection, is refused by name', () =>
      onSqlite(type, async ({ service, labels }) => {
        const called = service.inTransaction(async ({ entries }) => {
          await entries.save({ label: 'outer' });
          await runInTransaction(() => entries.save({ label: 'inner' }), { propagation: 'REQUIRES_NEW' });
        });
        await assert.rejects(called, SelfDeadlockError);
        assert.deepEqual(await labels(), []);
      }));
  });
}

interface OnSqlite {
  readonly service: EntryService;
  labels(): Promise<string[]>;
}

/** Runs `work` in an application on an empty database in memory. */
async function onSqlite(
  type: 'better-sqlite3' | 'sqljs',
  work: (app: OnSqlite) => Promise<void>,
): Promise<void> {
  const own = type === 'sqljs' ? {} : { database: ':memory:', driver: betterSqlite3() };
  const options = { type, ...own, entities: [Entry, Topic], subscribers: [Listening], synchronize: true };
  @Module({
    imports: [
      TypeOrmModule.forRoot(options as TypeOrmModuleOptions),
      TypeOrmModule.forFeature([Entry, Topic]),
      HoldfastModule.forRoot(),
    ],
    providers: [EntryService],
  })
  class SqliteModule {}
  const app = await NestFactory.createApplicationContext(SqliteModule, { logger: ['error', 'fatal'] });
  try {
    const service = app.get(EntryService);
    const labels = async (): Promise<string[]> =>
      (await service.entries.find({ order: { id: 'ASC' } })).map(({ label }) => label);
    await work({ service, labels });
  } finally {
    await app.close();
  }
}

/** The one that the repository's own tests use: it has a binary, which is not built once more for each application. */
function betterSqlite3(): unknown {
  return load(process.env['HOLDFAST_TEST_BETTER_SQLITE3'] ?? 'better-sqlite3');
}
