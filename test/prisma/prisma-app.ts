import { PrismaPg } from '@prisma/adapter-pg';
import { managePool, type ManagedPool, unmanagePool } from 'holdfast';
import { managePrisma } from 'holdfast/prisma';
import type { Pool, PoolConfig } from 'pg';
import type { TestDatabase } from '../harness/database.js';
import { type Prisma, PrismaClient } from './generated/client.js';

/** A managed pool and a PrismaClient on it, as an application makes them. */
export interface PrismaApp {
  readonly pool: Pool;
  readonly managed: ManagedPool;
  readonly prisma: PrismaClient;
}

export function startPrismaApp(
  db: TestDatabase,
  config: PoolConfig = {},
  name = 'default',
  options: Partial<Prisma.PrismaClientOptions> = {},
): PrismaApp {
  const pool = db.pool({ max: 6, ...config });
  const managed = managePool(pool, { name });
  const prisma = managePrisma(new PrismaClient({ ...(options as object), adapter: new PrismaPg(pool) }));
  db.defer(async () => {
    await prisma.$disconnect();
    unmanagePool(managed);
  });
  return { pool, managed, prisma };
}

/** The labels that are committed, in the order of insertion. */
export async function committedLabels(db: TestDatabase): Promise<string[]> {
  const rows = await db.query<{ label: string }>('SELECT label FROM entry ORDER BY id');
  return rows.map(({ label }) => label);
}

/** Begins at once what Prisma begins only when it is awaited. */
export function started<T>(lazy: PromiseLike<T>): Promise<T> {
  return Promise.resolve(lazy);
}

/** A meeting point: resolves for all once `count` have come. */
export function barrier(count: number): () => Promise<void> {
  let open: () => void = () => {};
  const all = new Promise<void>((resolve) => (open = resolve));
  let come = 0;
  return () => {
    if (++come === count) open();
    return all;
  };
}
