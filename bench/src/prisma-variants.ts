import type * as Holdfast from 'holdfast';
import type * as HoldfastPrisma from 'holdfast/prisma';
import type { PrismaClient } from './generated/client.js';
import { type Connect, openVariant, type OpenVariant, type RunInTransaction } from './open-variant.js';
import { byHand, openPool } from './raw-variants.js';
import { type PrismaModels, prismaWork } from './workload.js';

/** Prisma gives up on a connection after two seconds by default; a benchmark waits its turn. */
const transactionOptions = { maxWait: 60_000, timeout: 60_000 };

async function openClient(connect: Connect): Promise<{ prisma: PrismaClient; close(): Promise<void> }> {
  const { PrismaPg } = await import('@prisma/adapter-pg');
  const { PrismaClient: Client } = await import('./generated/client.js');
  const pool = await openPool(connect);
  const prisma = new Client({ adapter: new PrismaPg(pool), transactionOptions });
  const close = async (): Promise<void> => {
    await prisma.$disconnect();
    await pool.end();
  };
  return { prisma, close };
}

export async function openPrismaTransaction(connect: Connect): Promise<OpenVariant> {
  const { prisma, close } = await openClient(connect);
  return openVariant<PrismaModels>(prismaWork, (work) => prisma.$transaction((tx) => work(tx)), close);
}

/**
 * No way to write a service, but the least that a transaction around Prisma's calls can cost: each client has one connection,
 * so that BEGIN and COMMIT meet it with nothing that carries a transaction to the calls.
 */
export async function openPrismaByHand(connect: Connect): Promise<OpenVariant> {
  const { PrismaPg } = await import('@prisma/adapter-pg');
  const { PrismaClient: Client } = await import('./generated/client.js');
  const slots = await Promise.all(
    Array.from({ length: connect.poolSize }, async () => {
      const pool = await openPool({ ...connect, poolSize: 1 });
      return { pool, prisma: new Client({ adapter: new PrismaPg(pool) }) };
    }),
  );
  const free = [...slots];
  const waiting: (() => void)[] = [];
  const onSlot: RunInTransaction<PrismaModels> = async (work) => {
    while (free.length === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    const { pool, prisma } = free.pop()!;
    try {
      await byHand(pool, () => work(prisma));
    } finally {
      free.push({ pool, prisma });
      waiting.shift()?.();
    }
  };
  return openVariant(prismaWork, onSlot, async () => {
    for (const { pool, prisma } of slots) {
      await prisma.$disconnect();
      await pool.end();
    }
  });
}

export async function openPrismaOurs(connect: Connect, library: string): Promise<OpenVariant> {
  const { managePool, runInTransaction } = (await import(library)) as typeof Holdfast;
  const { managePrisma } = (await import(`${library}/prisma`)) as typeof HoldfastPrisma;
  const { PrismaPg } = await import('@prisma/adapter-pg');
  const { PrismaClient: Client } = await import('./generated/client.js');
  const pool = await openPool(connect);
  managePool(pool);
  const prisma = managePrisma(new Client({ adapter: new PrismaPg(pool) }));
  return openVariant<PrismaModels>(
    prismaWork,
    (work) => runInTransaction(() => work(prisma)),
    async () => {
      await prisma.$disconnect();
      await pool.end();
    },
  );
}

export async function openPrismaNestjsCls(connect: Connect): Promise<OpenVariant> {
  await import('reflect-metadata');
  const { Module } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { ClsModule } = await import('nestjs-cls');
  const { ClsPluginTransactional, TransactionHost } = await import('@nestjs-cls/transactional');
  const { TransactionalAdapterPrisma } = await import('@nestjs-cls/transactional-adapter-prisma');
  const { prisma, close } = await openClient(connect);
  const token = 'bench.prisma';

  @Module({ providers: [{ provide: token, useValue: prisma }], exports: [token] })
  class DatabaseModule {}

  const adapter = new TransactionalAdapterPrisma<PrismaClient>({ prismaInjectionToken: token });
  // Its types were not made for exactOptionalPropertyTypes.
  const options = { imports: [DatabaseModule], adapter: adapter as never };
  const plugin = new ClsPluginTransactional(options);

  @Module({ imports: [ClsModule.forRoot({ plugins: [plugin] })] })
  class AppModule {}

  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  const host = app.get<InstanceType<typeof TransactionHost<typeof adapter>>>(TransactionHost);
  return openVariant<PrismaModels>(
    prismaWork,
    (work) => host.withTransaction(() => work(host.tx)),
    async () => {
      await app.close();
      await close();
    },
  );
}
