import { runInTransaction, SelfDeadlockError, TransactionClosedError } from 'holdfast';
import { Prisma, type PrismaClient } from './generated/client.js';
import { useDatabase } from '../harness/database.js';
import { barrier, type PrismaApp, startPrismaApp, started } from './prisma-app.js';

const db = useDatabase();
let app: PrismaApp;
let prisma: PrismaClient;

beforeEach(() => {
  app = startPrismaApp(db, { max: 2 });
  prisma = app.prisma;
});
afterEach(() => db.truncate());

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Each kind of call that Prisma words its errors for. */
const calls: Record<string, (client: PrismaClient) => Promise<unknown>> = {
  'a model call': (client) => started(client.entry.create({ data: { label: 'a' } })),
  findUnique: (client) => started(client.entry.findUnique({ where: { id: 1 } })),
  'a write with nested writes': (client) =>
    started(client.parent.create({ data: { id: 1, children: { create: { id: 1 } } } })),
  $queryRaw: (client) => started(client.$queryRaw`SELECT 1`),
  '$transaction of a callback': (client) => client.$transaction((tx) => tx.entry.count()),
  '$transaction of an array': (client) =>
    client.$transaction([client.entry.count(), client.parent.create({ data: { id: 1 } })]),
};

describe.each(Object.entries(calls))('an error of ours comes out of %s as it is', (_, call) => {
  test('TransactionClosedError, with the place where the transaction was opened', async () => {
    let go: () => void = () => {};
    const over = new Promise<void>((resolve) => (go = resolve));
    const { late } = await runInTransaction(async () => ({ late: failureOf(over.then(() => call(prisma))) }));
    go();
    const error = await late;
    expect(error).toBeInstanceOf(TransactionClosedError);
    expect(error).toMatchObject({ cause: { message: 'transaction "runInTransaction" was opened here' } });
  });

  test('SelfDeadlockError, at once', async () => {
    const { prisma: single } = startPrismaApp(db, { max: 1 }, 'single');
    const error = await failureOf(
      runInTransaction(
        async () => {
          await single.entry.count();
          await runInTransaction(() => call(single), { dataSource: 'single', propagation: 'REQUIRES_NEW' });
        },
        { dataSource: 'single' },
      ),
    );
    expect(error).toBeInstanceOf(SelfDeadlockError);
  });
});

test('Prisma’s own errors are Prisma’s: P2002, P2025', async () => {
  const twice = (): Promise<unknown> => started(prisma.account.create({ data: { owner: 'ada' } }));
  await twice();
  const unique = await failureOf(runInTransaction(twice));
  expect(unique).toBeInstanceOf(Prisma.PrismaClientKnownRequestError);
  expect(unique).toMatchObject({ code: 'P2002', meta: { modelName: 'Account' } });
  const missing = runInTransaction(() =>
    prisma.account.update({ where: { owner: 'bob' }, data: { balance: 1 } }),
  );
  expect(await failureOf(missing)).toMatchObject({ code: 'P2025' });
});

test('one that never reached the server (P2025 of findUniqueOrThrow) may be swallowed', async () => {
  await runInTransaction(async () => {
    expect(
      await failureOf(started(prisma.account.findUniqueOrThrow({ where: { owner: 'bob' } }))),
    ).toMatchObject({
      code: 'P2025',
    });
    await prisma.account.create({ data: { owner: 'ada' } });
  });
  expect(await db.query('SELECT owner FROM account')).toEqual([{ owner: 'ada' }]);
});

describe('retry', () => {
  const retry = { attempts: 20, backoffMs: 1 };
  const balances = (): Promise<{ balance: number }[]> =>
    db.query('SELECT balance FROM account ORDER BY owner');
  const seen: unknown[] = [];
  /** Notes what the attempt fails with, as Prisma words it. */
  const noting = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      seen.push(error);
      throw error;
    }
  };
  beforeEach(async () => {
    seen.length = 0;
    await db.query("INSERT INTO account (owner, balance) VALUES ('ada', 100), ('bob', 100)");
  });

  test('runs the method again after a deadlock, which Prisma calls P2034', async () => {
    await db.query(`ALTER DATABASE ${db.name} SET deadlock_timeout = '20ms'`);
    const meet = barrier(2);
    const add = (owner: string, amount: number): Promise<unknown> =>
      noting(started(prisma.account.update({ where: { owner }, data: { balance: { increment: amount } } })));
    const transfer = (from: string, to: string): Promise<void> =>
      runInTransaction(
        async () => {
          await add(from, -10);
          await meet();
          await add(to, 10);
        },
        { retry },
      );
    await Promise.all([transfer('ada', 'bob'), transfer('bob', 'ada')]);
    expect(seen).toEqual([expect.objectContaining({ code: 'P2034' }), ...seen.slice(1)]);
    expect(await balances()).toEqual([{ balance: 100 }, { balance: 100 }]);
  });

  test.each(['by a model call', 'by a raw query', 'in $transaction'])(
    'runs the method again after a serialization failure %s',
    async (way) => {
      const meet = barrier(2);
      const write = (balance: number): Promise<unknown> => {
        const update = { where: { owner: 'ada' }, data: { balance } };
        if (way === 'by a model call') return started(prisma.account.update(update));
        if (way === 'in $transaction') return prisma.$transaction((tx) => tx.account.update(update));
        return started(prisma.$executeRaw`UPDATE account SET balance = ${balance} WHERE owner = 'ada'`);
      };
      const takeHalf = (): Promise<void> =>
        runInTransaction(
          async () => {
            const { balance } = await prisma.account.findUniqueOrThrow({ where: { owner: 'ada' } });
            await meet();
            await noting(write(balance / 2));
          },
          { isolationLevel: 'SERIALIZABLE', retry },
        );
      await Promise.all([takeHalf(), takeHalf()]);
      expect(seen[0]).toMatchObject({ code: way === 'by a raw query' ? 'P2010' : 'P2034' });
      expect(await balances()).toEqual([{ balance: 25 }, { balance: 100 }]);
    },
  );

  test('does not for P2002', async () => {
    let runs = 0;
    const insert = runInTransaction(
      async () => {
        runs += 1;
        await prisma.account.create({ data: { owner: 'ada' } });
      },
      { retry },
    );
    await expect(insert).rejects.toMatchObject({ code: 'P2002' });
    expect(runs).toBe(1);
  });
});
