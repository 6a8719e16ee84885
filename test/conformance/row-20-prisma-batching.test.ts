import { runInTransaction, runOutsideTransaction } from 'holdfast';
import type { FaultProxy } from '../harness/fault-proxy.js';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { barrier, startPrismaApp, started } from '../prisma/prisma-app.js';
import type { PrismaClient } from '../prisma/generated/client.js';
import { startMysqlPrisma } from './mysql-pools.js';
import { signal } from './ways-in.js';

interface PrismaDatabase {
  readonly db: { truncate(): Promise<void>; proxy(): Promise<FaultProxy>; readonly url: string };
  start(on?: { readonly url: string; readonly name: string }): PrismaClient;
}

const databases: readonly { name: string; use(): PrismaDatabase }[] = [
  {
    name: 'PostgreSQL',
    use() {
      const db = useDatabase();
      const start: PrismaDatabase['start'] = (on) =>
        startPrismaApp(db, { connectionString: on?.url ?? db.url, max: 12 }, on?.name).prisma;
      return { db, start };
    },
  },
  {
    name: 'MariaDB',
    use() {
      const db = useMysqlDatabase();
      // The models are the same, and so are the calls of these tests.
      const start: PrismaDatabase['start'] = (on) =>
        startMysqlPrisma(db, { ...on, max: 12 }).prisma as unknown as PrismaClient;
      return { db, start };
    },
  },
];

describe.each(databases)('findUnique calls that Prisma would answer with one SELECT, on $name', ({ use }) => {
  const { db, start } = use();
  let prisma: PrismaClient;
  beforeEach(() => {
    prisma = start();
  });
  afterEach(() => db.truncate());

  test('concurrent transactions each read their own uncommitted row, in one tick', async () => {
    const meet = barrier(10);
    const labels = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        runInTransaction(async () => {
          const { id } = await prisma.entry.create({ data: { label: `n${n}` } });
          await meet();
          const read = (where: { id: number }): Promise<{ label: string | null } | null> =>
            prisma.entry.findUnique({ where });
          const found = await Promise.all([read({ id }), read({ id }), read({ id: -1 })]);
          return found.map((row) => row?.label);
        }),
      ),
    );
    expect(labels).toEqual(Array.from({ length: 10 }, (_, n) => [`n${n}`, `n${n}`, undefined]));
  });

  test('a transaction and a caller outside it do not share an answer', async () => {
    await runInTransaction(async () => {
      const { id } = await prisma.entry.create({ data: { label: 'mine' } });
      const read = async (): Promise<{ label: string | null } | null> =>
        prisma.entry.findUnique({ where: { id } });
      const [inside, outside, again] = await Promise.all([read(), runOutsideTransaction(read), read()]);
      expect([inside?.label, outside, again?.label]).toEqual(['mine', null, 'mine']);
    });
  });

  test('a caller in no context at all does not read inside the transaction whose tick it shares', async () => {
    const asked = signal();
    // Waits outside, before any transaction is there.
    const outside = asked.sent.then(() => started(prisma.entry.findUnique({ where: { id: 1 } })));
    await runInTransaction(async () => {
      await prisma.entry.create({ data: { id: 1, label: 'mine' } });
      const inside = started(prisma.entry.findUnique({ where: { id: 1 } }));
      asked.send();
      expect(await inside).toMatchObject({ label: 'mine' });
      expect(await outside).toBeNull();
    });
  });

  test('arrays of $transaction in concurrent transactions each read their own rows', async () => {
    const meet = barrier(4);
    const labels = await Promise.all(
      Array.from({ length: 4 }, (_, n) =>
        runInTransaction(async () => {
          const { id } = await prisma.entry.create({ data: { label: `n${n}` } });
          await meet();
          const find = (): ReturnType<typeof prisma.entry.findUnique> =>
            prisma.entry.findUnique({ where: { id } });
          const found = await prisma.$transaction([find(), find()]);
          return found.map((row) => row?.label);
        }),
      ),
    );
    expect(labels).toEqual(Array.from({ length: 4 }, (_, n) => [`n${n}`, `n${n}`]));
  });

  test('a nested scope and the scope around it do not share an answer', async () => {
    await runInTransaction(async () => {
      const { id } = await prisma.entry.create({ data: { label: 'outer' } });
      const read = (where: { id: number }): Promise<{ label: string | null } | null> =>
        prisma.entry.findUnique({ where });
      const inner = runInTransaction(
        async () => {
          const mine = await prisma.entry.create({ data: { label: 'inner' } });
          return (await read({ id: mine.id }))?.label;
        },
        { propagation: 'NESTED' },
      );
      expect(await Promise.all([inner, read({ id })])).toEqual([
        'inner',
        expect.objectContaining({ label: 'outer' }),
      ]);
    });
  });

  test('within one transaction, and outside any, they still become one SELECT', async () => {
    const proxy = await db.proxy();
    const behindProxy = start({ url: proxy.url(db.url), name: 'behind a proxy' });
    await behindProxy.entry.createMany({ data: [{ label: 'a' }, { label: 'b' }] });
    const readBoth = async (): Promise<number> => {
      const before = proxy.texts.length;
      await Promise.all([1, 2].map((id) => behindProxy.entry.findUnique({ where: { id } })));
      return proxy.texts.slice(before).filter((text) => text.startsWith('SELECT')).length;
    };
    expect(await readBoth()).toBe(1);
    expect(
      await runInTransaction(
        async () => {
          await behindProxy.entry.count();
          return readBoth();
        },
        { dataSource: 'behind a proxy' },
      ),
    ).toBe(1);
  });
});
