import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { afterCommit, runInTransaction } from 'holdfast';
import { managePrisma, manageSqliteAdapter, UnsupportedPrismaClientError } from 'holdfast/prisma';
import { failureOf } from '../conformance/observing.js';
import { PrismaClient } from './prisma/generated/client.js';
import { labelsOf, usePrismaSqlite } from './sqlite-ways-in.js';

const boom = new Error('boom');
const source = usePrismaSqlite({ acquireTimeoutMs: 500 });
const insert = (label: string): Promise<unknown> =>
  Promise.resolve(source.prisma.entry.create({ data: { label } }));

test('prisma.$transaction, in both forms, is a savepoint inside a transaction', async () => {
  await runInTransaction(async () => {
    await source.prisma.$transaction(async (tx) => {
      await tx.entry.create({ data: { label: 'kept' } });
      await insert('through the client');
    });
    const failing = source.prisma.$transaction(async (tx) => {
      await tx.entry.create({ data: { label: 'undone' } });
      throw boom;
    });
    expect(await failureOf(failing)).toBe(boom);
    await source.prisma.$transaction([
      source.prisma.entry.create({ data: { label: 'of the array' } }),
      source.prisma.account.create({ data: { owner: 'ada' } }),
    ]);
  });
  expect(await labelsOf(source)).toEqual(['kept', 'through the client', 'of the array']);
});

test('all of prisma.$transaction inside goes with the transaction around it', async () => {
  const called = runInTransaction(async () => {
    await source.prisma.$transaction((tx) => tx.entry.create({ data: { label: 'undone' } }));
    throw boom;
  });
  expect(await failureOf(called)).toBe(boom);
  expect(await labelsOf(source)).toEqual([]);
});

test('a call that needs several statements is undone as a whole, inside and outside', async () => {
  const create = (id: number, children: number[]): Promise<unknown> =>
    Promise.resolve(
      source.prisma.parent.create({
        data: { id, children: { create: children.map((child) => ({ id: child })) } },
      }),
    );
  await create(1, [1]);
  await runInTransaction(async () => {
    expect(await failureOf(create(2, [2, 1]))).toMatchObject({ code: 'P2002' });
    await create(3, [3]);
  });
  expect(await failureOf(create(4, [4, 1]))).toMatchObject({ code: 'P2002' });
  expect(await source.prisma.parent.findMany({ include: { children: true } })).toEqual([
    { id: 1, children: [{ id: 1, parentId: 1 }] },
    { id: 3, children: [{ id: 3, parentId: 3 }] },
  ]);
});

test('row 20: findUnique of a transaction and of somebody outside, in one tick, are not one SELECT', async () => {
  await source.prisma.account.create({ data: { id: 1, owner: 'ada' } });
  const find = (id: number): Promise<{ owner: string } | null> =>
    Promise.resolve(source.prisma.account.findUnique({ where: { id } }));
  const [seen, outside] = await Promise.all([
    runInTransaction(async () => {
      await source.prisma.account.create({ data: { id: 2, owner: 'bob' } });
      const both = await Promise.all([find(1), find(2)]);
      await source.prisma.account.delete({ where: { id: 2 } });
      return both.map((account) => account?.owner);
    }),
    find(2),
  ]);
  expect(seen).toEqual(['ada', 'bob']);
  expect(outside).toBeNull();
});

test('outside, prisma.$transaction has the connection until its end; others wait', async () => {
  let beside: Promise<unknown> = Promise.resolve();
  await source.prisma.$transaction(async (tx) => {
    await tx.entry.create({ data: { label: 'first' } });
    beside = runInTransaction(() => insert('second'));
    await tx.entry.create({ data: { label: 'first too' } });
  });
  await beside;
  expect(await labelsOf(source)).toEqual(['first', 'first too', 'second']);
});

test('what prisma.$transaction outside waits for through the client itself is refused after acquireTimeoutMs', async () => {
  const called = source.prisma.$transaction(async (tx) => {
    await tx.entry.create({ data: { label: 'undone' } });
    await insert('would wait for itself');
  });
  expect(await failureOf(called)).toMatchObject({ code: 'ACQUIRE_TIMEOUT' });
  expect(await labelsOf(source)).toEqual([]);
});

test('a BEGIN outside that nobody could end is refused, and rolled back', async () => {
  expect(await failureOf(Promise.resolve(source.prisma.$executeRawUnsafe('BEGIN')))).toMatchObject({
    code: 'TRANSACTION_CONTROL',
  });
  await insert('next');
  expect(await labelsOf(source)).toEqual(['next']);
});

test('an extended client joins', async () => {
  const extended = source.prisma.$extends({
    model: { entry: { add: (label: string) => source.prisma.entry.create({ data: { label } }) } },
  });
  const called = runInTransaction(async () => {
    await extended.entry.create({ data: { label: 'undone' } });
    await extended.entry.add('undone too');
    throw boom;
  });
  expect(await failureOf(called)).toBe(boom);
  expect(await labelsOf(source)).toEqual([]);
});

test('SQLITE_BUSY through Prisma runs the whole method again, without the hooks of the failed attempt', async () => {
  let attempts = 0;
  const hooks: number[] = [];
  await runInTransaction(
    async () => {
      const attempt = ++attempts;
      afterCommit(() => void hooks.push(attempt));
      if (attempt === 1) source.other!.exec('BEGIN IMMEDIATE');
      await insert('ours').finally(() => {
        if (source.other!.inTransaction) source.other!.exec('COMMIT');
      });
    },
    { retry: { backoffMs: 1 } },
  );
  expect(attempts).toBe(2);
  expect(hooks).toEqual([2]);
  expect(await labelsOf(source)).toEqual(['ours']);
});

test('after $disconnect() the next call opens the database again, and joins as before', async () => {
  await source.prisma.$disconnect();
  const called = runInTransaction(async () => {
    await insert('undone');
    throw boom;
  });
  expect(await failureOf(called)).toBe(boom);
  await runInTransaction(() => insert('kept'));
  expect(await labelsOf(source)).toEqual(['kept']);
});

test('a level that SQLite does not have is refused', async () => {
  await runInTransaction(async () => {
    const level = source.prisma.$transaction((tx) => tx.entry.count(), { isolationLevel: 'Serializable' });
    expect(await failureOf(level)).toMatchObject({ code: 'ISOLATION_MISMATCH' });
  });
});

test('an adapter that is not managed is refused, and the message says what to write', () => {
  const prisma = new PrismaClient({ adapter: new PrismaBetterSqlite3({ url: ':memory:' }) });
  expect(() => managePrisma(prisma)).toThrow(UnsupportedPrismaClientError);
  expect(() => managePrisma(prisma)).toThrow(/manageSqliteAdapter\(new PrismaBetterSqlite3/);
});

test('manageSqliteAdapter is idempotent, and takes no other adapter and no other name', () => {
  const other = { adapterName: '@prisma/adapter-libsql', connect: () => Promise.resolve({}) };
  expect(() => manageSqliteAdapter(other)).toThrow(/not @prisma\/adapter-libsql/);
  const adapter = new PrismaBetterSqlite3({ url: ':memory:' });
  expect(manageSqliteAdapter(adapter, { name: 'other' })).toBe(adapter);
  expect(manageSqliteAdapter(adapter, { name: 'other' })).toBe(adapter);
  expect(() => manageSqliteAdapter(adapter, { name: 'another' })).toThrow(
    expect.objectContaining({ code: 'DUPLICATE_DATA_SOURCE' }),
  );
});
