import { PrismaPg } from '@prisma/adapter-pg';
import { managePool, runInTransaction, unmanagePool } from 'holdfast';
import { managePrisma } from 'holdfast/prisma';
import { manageReplica } from '../../src/connection/index.js';
import { useDatabase } from '../harness/database.js';
import { PrismaClient } from './generated/client.js';
import { committedLabels, started } from './prisma-app.js';

const db = useDatabase();
afterEach(() => db.truncate());

function startPool() {
  const pool = db.pool({ max: 4 });
  const managed = managePool(pool);
  db.defer(() => unmanagePool(managed));
  return pool;
}

function newClient(): PrismaClient {
  const prisma = new PrismaClient({ adapter: new PrismaPg(startPool()) });
  db.defer(() => prisma.$disconnect());
  return prisma;
}

/** Extensions of every kind that a client has. */
const extend = (prisma: PrismaClient) =>
  prisma.$extends({
    client: {
      addTwice: (label: string) => prisma.entry.createMany({ data: [{ label }, { label }] }),
    },
    model: { entry: { add: (label: string) => prisma.entry.create({ data: { label } }) } },
    query: {
      $allModels: {
        $allOperations: ({ args, query }) => query(args),
      },
      entry: {
        create: ({ args, query }) =>
          query({ ...args, data: { ...args.data, label: `${args.data?.label}!` } }),
      },
    },
    result: {
      entry: { shout: { needs: { label: true }, compute: ({ label }) => label?.toUpperCase() } },
    },
  });

const orders: Record<string, () => { base: PrismaClient; extended: ReturnType<typeof extend> }> = {
  'extended before managePrisma(base)': () => {
    const base = newClient();
    const extended = extend(base);
    managePrisma(base);
    return { base, extended };
  },
  'extended after managePrisma(base)': () => {
    const base = managePrisma(newClient());
    return { base, extended: extend(base) };
  },
  'managePrisma(extended)': () => {
    const base = newClient();
    return { base, extended: managePrisma(extend(base)) };
  },
};

describe.each(Object.entries(orders))('a client %s', (_, start) => {
  test('joins the transaction with its base, in every kind of extension, and nests its $transaction', async () => {
    const { base, extended } = start();
    await runInTransaction(async () => {
      expect(await extended.entry.create({ data: { label: 'a' } })).toMatchObject({
        label: 'a!',
        shout: 'A!',
      });
      await extended.entry.add('b');
      await extended.addTwice('c');
      await base.entry.create({ data: { label: 'd' } });
      for (const client of [base, extended] as PrismaClient[]) {
        const failing = client.$transaction(async (tx) => {
          await tx.entry.create({ data: { label: 'undone' } });
          await base.entry.create({ data: { label: 'undone, through the service' } });
          throw new Error('no');
        });
        await expect(failing).rejects.toThrow('no');
      }
      expect(await extended.entry.count()).toBe(5);
      expect(await committedLabels(db)).toEqual([]);
    });
    expect(await committedLabels(db)).toEqual(['a!', 'b', 'c', 'c', 'd']);
  });

  test('keeps batches of findUnique apart', async () => {
    const { base, extended } = start();
    const outcome = await runInTransaction(async () => {
      await base.entry.create({ data: { id: 1, label: 'mine' } });
      const read = (): Promise<{ label: string | null } | null> =>
        started(extended.entry.findUnique({ where: { id: 1 } }));
      return Promise.all([read(), runInTransaction(read, { propagation: 'REQUIRES_NEW' }), read()]);
    });
    expect(outcome.map((row) => row?.label)).toEqual(['mine', undefined, 'mine']);
  });
});

describe('the life of a client', () => {
  test('one that was connected before managePrisma joins as well', async () => {
    const prisma = newClient();
    await prisma.$connect();
    await prisma.parent.count();
    managePrisma(prisma);
    await runInTransaction(async () => {
      await Promise.all(
        [1, 2].map((id) => prisma.parent.create({ data: { id, children: { create: { id } } } })),
      );
      expect(await db.query('SELECT * FROM parent')).toEqual([]);
    });
    expect(await db.query('SELECT id FROM parent ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }]);
  });

  test('$disconnect and $connect inside a transaction leave it as it is', async () => {
    const prisma = managePrisma(newClient());
    await runInTransaction(async () => {
      await prisma.entry.create({ data: { label: 'a' } });
      await prisma.$disconnect();
      await prisma.$connect();
      await prisma.entry.create({ data: { label: 'b' } });
      expect(await committedLabels(db)).toEqual([]);
    });
    expect(await committedLabels(db)).toEqual(['a', 'b']);
  });

  test('$on("query") hears the statements, in the transaction that they belong to', async () => {
    const prisma = new PrismaClient({
      adapter: new PrismaPg(startPool()),
      log: [{ emit: 'event', level: 'query' }],
    });
    const heard: string[] = [];
    prisma.$on('query', ({ query }) => void heard.push(query));
    managePrisma(prisma);
    await runInTransaction(() => prisma.entry.create({ data: { label: 'a' } }));
    expect(heard).toEqual([expect.stringMatching(/^INSERT INTO/)]);
    await prisma.$disconnect();
  });

  test('a Prisma service under a data source with replicas: read-only transactions read from the replica', async () => {
    const pool = startPool();
    const prisma = managePrisma(new PrismaClient({ adapter: new PrismaPg(pool) }));
    manageReplica(db.pool({ max: 1, application_name: 'replica' }), managePool(pool));
    const where = (): Promise<unknown> =>
      prisma.$queryRaw`SELECT current_setting('application_name') AS name`;
    expect(await runInTransaction(where, { readOnly: true })).toEqual([{ name: 'replica' }]);
    expect(await runInTransaction(where)).not.toEqual([{ name: 'replica' }]);
    await prisma.$disconnect();
  });
});
