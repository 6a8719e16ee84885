import { PrismaPg } from '@prisma/adapter-pg';
import type { Pool } from 'pg';
import { managePrisma } from 'holdfast/prisma';
import { PrismaClient } from '../prisma/generated/client.js';
import type { TestDatabase } from '../harness/database.js';
import type { Captured } from './ways-in.js';

/** A managed PrismaClient on a managed pool, disconnected after the test. */
export function startPrisma(db: TestDatabase, pool: Pool): PrismaClient {
  const prisma = managePrisma(new PrismaClient({ adapter: new PrismaPg(pool) }));
  db.defer(() => prisma.$disconnect());
  return prisma;
}

/** Nothing is taken: a PrismaClient asks its pool for each call. */
export const throughPrisma = (prisma: PrismaClient): Captured => ({
  async insert(label) {
    await prisma.entry.create({ data: { label } });
  },
  async query<Row>(sql: string, params: unknown[] = []) {
    // Prisma's raw results have no type void, which functions such as pg_sleep answer.
    const rows = await prisma.$queryRawUnsafe<Row[]>(
      sql.replace(/\b(pg_\w*(?:sleep|lock\w*)\([^()]*\))(?!::)/, '$1::text'),
      ...params,
    );
    return rows;
  },
  release: async () => undefined,
});
