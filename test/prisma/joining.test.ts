import { PrismaPg } from '@prisma/adapter-pg';
import { runInTransaction, Transactional } from 'holdfast';
import { managePrisma } from 'holdfast/prisma';
import type { Pool } from 'pg';
import { useDatabase } from '../harness/database.js';
import { PrismaClient } from './generated/client.js';
import { committedLabels, type PrismaApp, startPrismaApp, started } from './prisma-app.js';

const db = useDatabase();
let app: PrismaApp;
let prisma: PrismaClient;

beforeEach(() => {
  app = startPrismaApp(db);
  prisma = app.prisma;
});
afterEach(() => db.truncate());

const poolPid = async (pool: Pool): Promise<number> =>
  (await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid;
const prismaPid = async (client: Pick<PrismaClient, '$queryRaw'>): Promise<number> =>
  (await client.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`)[0]!.pid;

/** Each way into Prisma that a service has, as one insert. */
const waysIn: Record<string, (label: string) => Promise<unknown>> = {
  'a model call': (label) => prisma.entry.create({ data: { label } }),
  createManyAndReturn: (label) => prisma.entry.createManyAndReturn({ data: [{ label }] }),
  upsert: (label) => prisma.entry.upsert({ where: { id: -1 }, create: { label }, update: { label } }),
  createMany: (label) => prisma.entry.createMany({ data: [{ label }] }),
  $executeRaw: (label) => prisma.$executeRaw`INSERT INTO entry (label) VALUES (${label})`,
  $queryRaw: (label) => prisma.$queryRaw`INSERT INTO entry (label) VALUES (${label}) RETURNING id`,
  $queryRawUnsafe: (label) =>
    prisma.$queryRawUnsafe('INSERT INTO entry (label) VALUES ($1) RETURNING id', label),
  'an extended client': (label) =>
    prisma
      .$extends({ query: { entry: { create: ({ args, query }) => query(args) } } })
      .entry.create({ data: { label } }),
  'a model method of an extension': (label) =>
    prisma
      .$extends({
        model: { entry: { add: (text: string) => prisma.entry.create({ data: { label: text } }) } },
      })
      .entry.add(label),
  '$transaction with a callback': (label) =>
    prisma.$transaction((tx) => tx.entry.create({ data: { label } })),
  '$transaction with an array': (label) => prisma.$transaction([prisma.entry.create({ data: { label } })]),
  '$transaction of an extended client': (label) =>
    prisma.$extends({}).$transaction((tx) => tx.entry.create({ data: { label } })),
};

describe.each(Object.entries(waysIn))('%s', (_, insert) => {
  test('is seen inside the transaction, by nobody outside, and is there after it', async () => {
    await runInTransaction(async () => {
      await insert('a');
      expect((await app.pool.query('SELECT label FROM entry')).rows).toEqual([{ label: 'a' }]);
      expect(await committedLabels(db)).toEqual([]);
    });
    expect(await committedLabels(db)).toEqual(['a']);
  });

  test('is undone with the transaction', async () => {
    const failing = runInTransaction(async () => {
      await insert('a');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await committedLabels(db)).toEqual([]);
    expect(app.managed.counts()).toMatchObject({ inUse: 0, pending: 0 });
  });

  test('is refused once the transaction is over', async () => {
    let late: Promise<unknown> | undefined;
    let go: () => void = () => {};
    const over = new Promise<void>((resolve) => (go = resolve));
    await runInTransaction(async () => {
      late = over.then(() => insert('late'));
      late.catch(() => {});
      await Promise.resolve();
    });
    go();
    await expect(late).rejects.toThrow(/has ended, so the statement was not sent/);
    expect(await committedLabels(db)).toEqual([]);
  });

  test('commits by itself outside a transaction', async () => {
    await insert('a');
    expect(await committedLabels(db)).toEqual(['a']);
  });
});

test('Prisma and pg share the transaction’s connection, and REQUIRES_NEW has another', async () => {
  await runInTransaction(async () => {
    const pid = await prismaPid(prisma);
    expect(await poolPid(app.pool)).toBe(pid);
    expect(await runInTransaction(() => prismaPid(prisma), { propagation: 'REQUIRES_NEW' })).not.toBe(pid);
    expect(await prismaPid(prisma.$extends({}))).toBe(pid);
  });
});

test('relations, by include and by the fluent API, read what the transaction wrote', async () => {
  await runInTransaction(async () => {
    await prisma.parent.create({ data: { id: 1, children: { create: [{ id: 1 }, { id: 2 }] } } });
    const children = [{ id: 1 }, { id: 2 }].map((child) => expect.objectContaining(child));
    expect(await prisma.parent.findUnique({ where: { id: 1 } }).children()).toEqual(children);
    expect(await prisma.parent.findMany({ include: { children: true } })).toEqual([{ id: 1, children }]);
    expect(await prisma.child.findUnique({ where: { id: 2 } }).parent()).toEqual({ id: 1 });
    expect(await prisma.child.findMany({ omit: { parentId: true } })).toEqual([{ id: 1 }, { id: 2 }]);
    expect(await db.query('SELECT * FROM child')).toEqual([]);
  });
});

test('a method that returns a PrismaPromise without awaiting it runs it in its transaction', async () => {
  class Entries {
    @Transactional()
    addTwo(): Promise<unknown> {
      return prisma.parent.create({ data: { id: 1, children: { create: [{ id: 1 }] } } });
    }
  }
  const add = runInTransaction(async () => {
    await new Entries().addTwo();
    throw new Error('no');
  });
  await expect(add).rejects.toThrow('no');
  expect(await db.query('SELECT * FROM parent')).toEqual([]);
  await new Entries().addTwo();
  expect(await db.query('SELECT * FROM parent')).toEqual([{ id: 1 }]);
});

test('a Nest PrismaService, a class that extends PrismaClient, joins through managePrisma(this)', async () => {
  class PrismaService extends PrismaClient {
    constructor() {
      super({ adapter: new PrismaPg(app.pool) });
      managePrisma(this);
    }
  }
  class Entries {
    constructor(private readonly service: PrismaService) {}

    @Transactional()
    async addTwo(): Promise<void> {
      await this.service.entry.create({ data: { label: 'one' } });
      await this.service.entry.create({ data: { label: 'two' } });
      if ((await this.service.entry.count()) > 2) throw new Error('too many');
    }
  }
  const service = new PrismaService();
  db.defer(() => service.$disconnect());
  const entries = new Entries(service);
  await entries.addTwo();
  await expect(entries.addTwo()).rejects.toThrow('too many');
  expect(await committedLabels(db)).toEqual(['one', 'two']);
});

test('Prisma’s error for a broken constraint reaches the caller, and swallowing it does not commit', async () => {
  const twice = async (): Promise<void> => {
    await prisma.account.create({ data: { owner: 'ada' } });
    await prisma.account.create({ data: { owner: 'ada' } });
  };
  await expect(runInTransaction(twice)).rejects.toMatchObject({ code: 'P2002' });
  await expect(runInTransaction(() => twice().catch(() => {}))).rejects.toMatchObject({
    code: 'UNEXPECTED_ROLLBACK',
  });
  expect(await db.query('SELECT owner FROM account')).toEqual([]);
});

test('a slow pool: the transaction’s own error for a connection that never comes', async () => {
  const { prisma: waiting, pool } = startPrismaApp(db, { max: 1 }, 'small');
  await waiting.entry.count();
  // The limit is for opening a connection as well, which may take its time.
  Object.assign(pool.options, { connectionTimeoutMillis: 20 });
  const holder = await db.client();
  await holder.query('SELECT pg_advisory_lock(7)');
  const slow = started(waiting.$executeRaw`SELECT pg_advisory_lock(7)`);
  const late = runInTransaction(() => started(waiting.entry.count()), { dataSource: 'small' });
  await expect(late).rejects.toMatchObject({ code: 'ACQUIRE_TIMEOUT', retryable: true });
  await holder.query('SELECT pg_advisory_unlock(7)');
  await slow;
});

test('a PrismaPromise that is made inside and awaited outside is sent where it is awaited, as Prisma does it', async () => {
  const { query } = await runInTransaction(async () => ({
    query: prisma.entry.create({ data: { label: 'outside' } }),
  }));
  expect(await committedLabels(db)).toEqual([]);
  await query;
  expect(await committedLabels(db)).toEqual(['outside']);
});
