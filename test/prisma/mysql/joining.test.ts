import { PrismaMariaDb } from '@prisma/adapter-mariadb';
import type { Pool } from 'mariadb';
import { type ManagedPool, runInTransaction, Transactional } from 'holdfast';
import { managePrisma } from 'holdfast/prisma';
import { failureOf, signal } from '../../conformance/observing.js';
import { startMysqlPrisma } from '../../conformance/mysql-pools.js';
import { mysqlError, mysqlLabelsIn } from '../../conformance/mysql-ways-in.js';
import { useMysqlDatabase } from '../../harness/mysql-database.js';
import { mysqlSchema } from '../../harness/schema.js';
import { started } from '../prisma-app.js';
import { Prisma, PrismaClient } from './generated/client.js';

const db = useMysqlDatabase([
  ...mysqlSchema,
  `CREATE TRIGGER deadlock BEFORE UPDATE ON account FOR EACH ROW
     IF NEW.balance = -1 THEN SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213; END IF`,
]);
const boom = new Error('boom');
let pool: Pool;
let managed: ManagedPool;
let prisma: PrismaClient;

beforeEach(async () => {
  await db.truncate();
  ({ pool, managed, prisma } = startMysqlPrisma(db));
});

const poolId = async (): Promise<number> =>
  Number((await pool.query<{ id: number }[]>('SELECT connection_id() AS id'))[0]!.id);
const prismaId = async (client: Pick<PrismaClient, '$queryRaw'>): Promise<number> =>
  Number((await client.$queryRaw<{ id: bigint }[]>`SELECT connection_id() AS id`)[0]!.id);

/** Each way into Prisma that a service has, as one insert. */
const waysIn: Record<string, (label: string) => Promise<unknown>> = {
  'a model call': (label) => prisma.entry.create({ data: { label } }),
  upsert: (label) => prisma.entry.upsert({ where: { id: -1 }, create: { label }, update: { label } }),
  createMany: (label) => prisma.entry.createMany({ data: [{ label }] }),
  $executeRaw: (label) => prisma.$executeRaw`INSERT INTO entry (label) VALUES (${label})`,
  $queryRaw: (label) => prisma.$queryRaw`INSERT INTO entry (label) VALUES (${label})`,
  $queryRawUnsafe: (label) => prisma.$queryRawUnsafe('INSERT INTO entry (label) VALUES (?)', label),
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
      expect(await pool.query('SELECT label FROM entry')).toMatchObject([{ label: 'a' }]);
      expect(await mysqlLabelsIn(db)).toEqual([]);
    });
    expect(await mysqlLabelsIn(db)).toEqual(['a']);
  });

  test('is undone with the transaction', async () => {
    const called = runInTransaction(async () => {
      await insert('a');
      throw boom;
    });
    expect(await failureOf(called)).toBe(boom);
    expect(await mysqlLabelsIn(db)).toEqual([]);
    expect(managed.counts()).toMatchObject({ inUse: 0, pending: 0 });
  });

  test('is refused once the transaction is over', async () => {
    const over = signal();
    const { late } = await runInTransaction(async () => ({
      late: failureOf(over.sent.then(() => insert('late'))),
    }));
    over.send();
    expect((await late).message).toMatch(/has ended, so the statement was not sent/);
    expect(await mysqlLabelsIn(db)).toEqual([]);
  });

  test('commits by itself outside a transaction', async () => {
    await insert('a');
    expect(await mysqlLabelsIn(db)).toEqual(['a']);
  });
});

test('Prisma and mariadb share the transaction’s connection, and REQUIRES_NEW has another', async () => {
  await runInTransaction(async () => {
    const id = await prismaId(prisma);
    expect(await poolId()).toBe(id);
    expect(await prismaId(prisma.$extends({}))).toBe(id);
    expect(await prisma.$transaction((tx) => prismaId(tx))).toBe(id);
    expect(await runInTransaction(() => prismaId(prisma), { propagation: 'REQUIRES_NEW' })).not.toBe(id);
  });
});

test('relations, by include and by the fluent API, read what the transaction wrote', async () => {
  await runInTransaction(async () => {
    await prisma.parent.create({ data: { id: 1, children: { create: [{ id: 1 }, { id: 2 }] } } });
    const children = [{ id: 1 }, { id: 2 }].map((child) => expect.objectContaining(child));
    expect(await prisma.parent.findUnique({ where: { id: 1 } }).children()).toEqual(children);
    expect(await prisma.parent.findMany({ include: { children: true } })).toEqual([{ id: 1, children }]);
    expect(await db.query('SELECT * FROM child')).toEqual([]);
  });
});

test('a class that extends PrismaClient joins, and the decorated method that calls it rolls back', async () => {
  class PrismaService extends PrismaClient {
    constructor() {
      super({ adapter: new PrismaMariaDb(pool as never) });
      managePrisma(this);
    }
  }
  const service = new PrismaService();
  db.defer(() => service.$disconnect());
  class Entries {
    @Transactional()
    async addTwo(): Promise<void> {
      await service.entry.create({ data: { label: 'one' } });
      await service.entry.create({ data: { label: 'two' } });
      if ((await service.entry.count()) > 2) throw boom;
    }
  }
  await new Entries().addTwo();
  expect(await failureOf(new Entries().addTwo())).toBe(boom);
  expect(await mysqlLabelsIn(db)).toEqual(['one', 'two']);
});

test('a swallowed error of Prisma undoes its statement alone, as the server does it', async () => {
  await runInTransaction(async () => {
    await prisma.account.create({ data: { owner: 'ada' } });
    const again = await failureOf(started(prisma.account.create({ data: { owner: 'ada' } })));
    expect(again).toBeInstanceOf(Prisma.PrismaClientKnownRequestError);
    expect(again).toMatchObject({ code: 'P2002' });
    await prisma.account.create({ data: { owner: 'bob' } });
  });
  expect(await db.query('SELECT owner FROM account ORDER BY id')).toEqual([
    { owner: 'ada' },
    { owner: 'bob' },
  ]);
});

test.each<[string, string, (balance: number) => Promise<unknown>]>([
  ['a model call', 'P2034', (balance) => started(prisma.account.updateMany({ data: { balance } }))],
  ['a raw query', 'P2010', (balance) => started(prisma.$executeRaw`UPDATE account SET balance = ${balance}`)],
])('a deadlock of %s, which Prisma calls %s, is run again', async (_, code, write) => {
  await prisma.account.create({ data: { owner: 'ada' } });
  const errors: unknown[] = [];
  await runInTransaction(
    () =>
      write(errors.length === 0 ? -1 : 1).catch((error: unknown) => {
        errors.push(error);
        throw error;
      }),
    { retry: { attempts: 3, backoffMs: 1 } },
  );
  expect(errors).toEqual([expect.objectContaining({ code })]);
  expect(await db.query('SELECT balance FROM account')).toEqual([{ balance: 1 }]);
});

test('Prisma’s timeouts do not count inside, the method’s timeoutMs does', async () => {
  await prisma.entry.create({ data: { id: 1, label: 'before' } });
  const other = await db.connection();
  await other.beginTransaction();
  await other.query('SELECT * FROM entry WHERE id = 1 FOR UPDATE');
  const called = runInTransaction(
    () =>
      prisma.$transaction((tx) => tx.entry.update({ where: { id: 1 }, data: { label: 'mine' } }), {
        timeout: 1,
        maxWait: 1,
      }),
    { timeoutMs: 200 },
  );
  expect(await failureOf(called)).toMatchObject({ code: 'TRANSACTION_TIMEOUT' });
  await other.rollback();
  expect(await mysqlLabelsIn(db)).toEqual(['before']);
});

test('a read-only transaction reads through Prisma, and the server refuses a write', async () => {
  await runInTransaction(
    async () => {
      expect(await prisma.$transaction([prisma.entry.findMany(), prisma.entry.count()])).toEqual([[], 0]);
      expect(await failureOf(started(prisma.parent.create({ data: { id: 1 } })))).toEqual(
        mysqlError('ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION'),
      );
    },
    { readOnly: true },
  );
});

test('$disconnect and $connect inside a transaction leave it as it is', async () => {
  await runInTransaction(async () => {
    await prisma.entry.create({ data: { label: 'a' } });
    await prisma.$disconnect();
    await prisma.$connect();
    await prisma.entry.create({ data: { label: 'b' } });
    expect(await mysqlLabelsIn(db)).toEqual([]);
  });
  expect(await mysqlLabelsIn(db)).toEqual(['a', 'b']);
});
