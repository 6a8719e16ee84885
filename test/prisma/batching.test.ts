import { runInTransaction, runOutsideTransaction } from 'holdfast';
import { useDatabase } from '../harness/database.js';
import { barrier, type PrismaApp, startPrismaApp } from './prisma-app.js';

const db = useDatabase();
let app: PrismaApp;

beforeEach(() => {
  app = startPrismaApp(db, { max: 12 });
});
afterEach(() => db.truncate());

describe('findUnique calls that Prisma would answer with one SELECT', () => {
  test('concurrent transactions each read their own uncommitted row, in one tick', async () => {
    const { prisma } = app;
    const meet = barrier(10);
    const labels = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        runInTransaction(async () => {
          const { id } = await prisma.entry.create({ data: { label: `n${n}` } });
          await meet();
          const read = (where: { id: number }): Promise<{ label: string } | null> =>
            prisma.entry.findUnique({ where });
          const found = await Promise.all([read({ id }), read({ id }), read({ id: -1 })]);
          return found.map((row) => row?.label);
        }),
      ),
    );
    expect(labels).toEqual(Array.from({ length: 10 }, (_, n) => [`n${n}`, `n${n}`, undefined]));
  });

  test('a transaction and a caller outside it do not share an answer', async () => {
    const { prisma } = app;
    await runInTransaction(async () => {
      const { id } = await prisma.entry.create({ data: { label: 'mine' } });
      const read = async (): Promise<{ label: string } | null> => prisma.entry.findUnique({ where: { id } });
      const [inside, outside, again] = await Promise.all([read(), runOutsideTransaction(read), read()]);
      expect([inside?.label, outside, again?.label]).toEqual(['mine', null, 'mine']);
    });
  });

  test('a nested scope and the scope around it do not share an answer', async () => {
    const { prisma } = app;
    await runInTransaction(async () => {
      const { id } = await prisma.entry.create({ data: { label: 'outer' } });
      const read = (where: { id: number }): Promise<{ label: string } | null> =>
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
    const { prisma } = startOn(proxy.url(db.url));
    await prisma.entry.createMany({ data: [{ label: 'a' }, { label: 'b' }] });
    const readBoth = async (): Promise<number> => {
      const before = proxy.texts.length;
      await Promise.all([1, 2].map((id) => prisma.entry.findUnique({ where: { id } })));
      return proxy.texts.slice(before).filter((text) => text.startsWith('SELECT')).length;
    };
    expect(await readBoth()).toBe(1);
    expect(
      await runInTransaction(
        async () => {
          await prisma.entry.count();
          return readBoth();
        },
        { dataSource: 'behind a proxy' },
      ),
    ).toBe(1);
  });
});

function startOn(connectionString: string): PrismaApp {
  return startPrismaApp(db, { connectionString }, 'behind a proxy');
}
