import 'reflect-metadata';
import { PrismaPg } from '@prisma/adapter-pg';
import { drizzle } from 'drizzle-orm/node-postgres';
import { pgTable, serial, text } from 'drizzle-orm/pg-core';
import { sql as drizzleSql } from 'drizzle-orm';
import { Transactional, managedPool } from 'holdfast';
import { managePrisma } from 'holdfast/prisma';
import { manageDataSource } from 'holdfast/typeorm';
import { Kysely, PostgresDialect, sql } from 'kysely';
import type { Generated } from 'kysely';
import type { Pool } from 'pg';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { useDatabase } from '../harness/database.js';
import { PrismaClient } from './generated/client.js';
import { committedLabels } from './prisma-app.js';

@Entity('entry')
class Entry {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') label!: string;
}
const entryTable = pgTable('entry', { id: serial().primaryKey(), label: text().notNull() });
interface Tables {
  entry: { id: Generated<number>; label: string };
}

const db = useDatabase();
afterEach(() => db.truncate());

/** One pool, TypeORM's, and everything else on it. */
async function startEverything() {
  const dataSource = await new DataSource({
    type: 'postgres',
    url: db.url,
    entities: [Entry],
    poolSize: 5,
  }).initialize();
  manageDataSource(dataSource);
  db.defer(() => dataSource.destroy());
  const pool = managedPool().native as Pool;
  const prisma = managePrisma(new PrismaClient({ adapter: new PrismaPg(pool) }));
  return {
    pool,
    prisma,
    repository: dataSource.getRepository(Entry),
    kysely: new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) }),
    drizzle: drizzle({ client: pool }),
  };
}

class Everything {
  constructor(private readonly on: Awaited<ReturnType<typeof startEverything>>) {}

  @Transactional()
  async write(fail: boolean) {
    const { pool, prisma, repository, kysely, drizzle: drizzled } = this.on;
    await repository.save({ label: 'typeorm' });
    await prisma.entry.create({ data: { label: 'prisma' } });
    await pool.query("INSERT INTO entry (label) VALUES ('pg')");
    await kysely.insertInto('entry').values({ label: 'kysely' }).execute();
    await drizzled.insert(entryTable).values({ label: 'drizzle' });
    const seen = {
      prisma: await prisma.entry.count(),
      typeorm: await repository.countBy({ label: 'drizzle' }),
      kysely: (await kysely.selectFrom('entry').selectAll().execute()).length,
      drizzle: (await drizzled.select().from(entryTable)).length,
      outside: await committedLabels(db),
    };
    const pids = [
      (await repository.query('SELECT pg_backend_pid() AS pid'))[0].pid,
      (await prisma.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`)[0]!.pid,
      (await pool.query('SELECT pg_backend_pid() AS pid')).rows[0].pid,
      (await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(kysely)).rows[0]!.pid,
      (await drizzled.execute(drizzleSql`SELECT pg_backend_pid() AS pid`)).rows[0]!['pid'] as number,
    ];
    if (fail) throw new Error('no');
    return { pids, seen };
  }

  @Transactional()
  async nestByHand(): Promise<void> {
    const { pool, kysely, drizzle: drizzled } = this.on;
    await pool.query("INSERT INTO entry (label) VALUES ('kept')");
    await kysely
      .transaction()
      .execute(async (trx) => {
        await trx.insertInto('entry').values({ label: 'undone by kysely' }).execute();
        throw new Error('no');
      })
      .catch(() => {});
    await drizzled
      .transaction(async (trx) => {
        await trx.insert(entryTable).values({ label: 'undone by drizzle' });
        throw new Error('no');
      })
      .catch(() => {});
    await kysely
      .transaction()
      .execute((trx) => trx.insertInto('entry').values({ label: 'kysely' }).execute());
  }
}

test('TypeORM, Prisma, pg, Kysely and Drizzle in one method: one connection, each sees the others, one commit', async () => {
  const everything = new Everything(await startEverything());
  const { pids, seen } = await everything.write(false);
  expect(new Set(pids).size).toBe(1);
  expect(seen).toEqual({ prisma: 5, typeorm: 1, kysely: 5, drizzle: 5, outside: [] });
  expect(await committedLabels(db)).toEqual(['typeorm', 'prisma', 'pg', 'kysely', 'drizzle']);
});

test('and one rollback undoes all', async () => {
  const everything = new Everything(await startEverything());
  await expect(everything.write(true)).rejects.toThrow('no');
  expect(await committedLabels(db)).toEqual([]);
});

test('the own transactions of Kysely and Drizzle, which know nothing of holdfast, are savepoints', async () => {
  const everything = new Everything(await startEverything());
  await everything.nestByHand();
  expect(await committedLabels(db)).toEqual(['kept', 'kysely']);
});
