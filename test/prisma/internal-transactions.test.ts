import { currentTransaction, runInTransaction } from 'holdfast';
import type { PrismaClient } from './generated/client.js';
import { useDatabase } from '../harness/database.js';
import { type PrismaApp, startPrismaApp } from './prisma-app.js';

const db = useDatabase();
let app: PrismaApp;
let prisma: PrismaClient;

beforeEach(() => {
  app = startPrismaApp(db);
  prisma = app.prisma;
});
afterEach(() => db.truncate());

/** A write with nested writes, which Prisma surrounds with a transaction of its own. Child 0 exists: it fails. */
const family = (id: number, child = id): Promise<unknown> =>
  prisma.parent.create({ data: { id, children: { create: [{ id: child }] } } }).then();
const parents = async (): Promise<number[]> =>
  (await db.query<{ id: number }>('SELECT id FROM parent ORDER BY id')).map(({ id }) => id);

beforeEach(() => family(0));

describe('writes with nested writes, inside a transaction', () => {
  test('several at once take turns', async () => {
    await runInTransaction(async () => {
      await Promise.all([1, 2, 3, 4].map((id) => family(id)));
      expect(currentTransaction()?.depth).toBe(1);
    });
    expect(await parents()).toEqual([0, 1, 2, 3, 4]);
  });

  test('one that fails undoes itself, and nothing of what runs beside it', async () => {
    await runInTransaction(async () => {
      const results = await Promise.allSettled([
        family(1),
        family(2, 0),
        prisma.parent.create({ data: { id: 3 } }),
        app.pool.query('INSERT INTO parent (id) VALUES (4)'),
        family(5),
      ]);
      expect(results.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
        'fulfilled',
        'fulfilled',
      ]);
    });
    expect(await parents()).toEqual([0, 1, 3, 4, 5]);
  });

  test('are undone with the transaction', async () => {
    const failing = runInTransaction(async () => {
      await Promise.all([family(1), family(2)]);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await parents()).toEqual([0]);
  });

  test('un-awaited ones that come too late are refused', async () => {
    let late: Promise<unknown> | undefined;
    await runInTransaction(async () => {
      late = Promise.resolve().then(() => family(1));
      late.catch(() => {});
    }).catch(() => {});
    await expect(late).rejects.toThrow();
    expect(await parents()).toEqual([0]);
  });
});
