import { currentTransaction, runInTransaction } from 'holdfast';
import type { PrismaClient } from './generated/client.js';
import { useDatabase } from '../harness/database.js';
import { committedLabels, type PrismaApp, startPrismaApp, started } from './prisma-app.js';

const db = useDatabase();
let app: PrismaApp;
let prisma: PrismaClient;

beforeEach(async () => {
  app = startPrismaApp(db);
  prisma = app.prisma;
  await family(0);
});
afterEach(() => db.truncate());

/** A write with nested writes, which Prisma surrounds with a transaction of its own. Child 0 exists, so it fails. */
const family = (id: number, child = id): Promise<unknown> =>
  started(prisma.parent.create({ data: { id, children: { create: [{ id: child }] } } }));
const parents = async (): Promise<number[]> =>
  (await db.query<{ id: number }>('SELECT id FROM parent ORDER BY id')).map(({ id }) => id);
const statuses = async (work: Promise<unknown>[]): Promise<string[]> =>
  (await Promise.allSettled(work)).map(({ status }) => status);

describe('writes with nested writes, inside a transaction', () => {
  test('several at once take turns', async () => {
    await runInTransaction(async () => {
      await Promise.all([1, 2, 3, 4].map((id) => family(id)));
      expect(currentTransaction()?.depth).toBe(1);
      expect(await prisma.parent.count()).toBe(5);
    });
    expect(await parents()).toEqual([0, 1, 2, 3, 4]);
  });

  test('one that fails undoes itself, and nothing of what runs beside it', async () => {
    await runInTransaction(async () => {
      const beside = statuses([
        family(1),
        family(2, 0),
        prisma.parent.create({ data: { id: 3 } }),
        app.pool.query('INSERT INTO parent (id) VALUES (4)'),
        runInTransaction(() => family(5), { propagation: 'NESTED' }),
        prisma.$transaction((tx) => tx.parent.create({ data: { id: 6 } })),
      ]);
      const fine = 'fulfilled';
      expect(await beside).toEqual([fine, 'rejected', fine, fine, fine, fine]);
    });
    expect(await parents()).toEqual([0, 1, 3, 4, 5, 6]);
  });

  test('are undone with the transaction, and with the NESTED method around them', async () => {
    const failing = runInTransaction(async () => {
      await family(1);
      await runInTransaction(
        async () => {
          await family(2);
          throw new Error('inner');
        },
        { propagation: 'NESTED' },
      ).catch(() => {});
      expect(await prisma.parent.count()).toBe(2);
      throw new Error('outer');
    });
    await expect(failing).rejects.toThrow('outer');
    expect(await parents()).toEqual([0]);
  });

  test('that come too late are refused', async () => {
    let go: () => void = () => {};
    const over = new Promise<void>((resolve) => (go = resolve));
    const { late } = await runInTransaction(async () => ({ late: over.then(() => family(1)) }));
    go();
    await expect(late).rejects.toMatchObject({ code: 'TRANSACTION_CLOSED' });
    expect(await parents()).toEqual([0]);
  });
});

describe('Prisma’s $transaction inside a transaction, beside other work', () => {
  test('its failure takes nothing with it of what runs beside it', async () => {
    await runInTransaction(async () => {
      const failing = prisma.$transaction(async (tx) => {
        await tx.entry.create({ data: { label: 'undone' } });
        await tx.entry.create({ data: { label: 'undone too' } });
        throw new Error('no');
      });
      await statuses([failing, started(prisma.entry.create({ data: { label: 'beside' } }))]);
    });
    expect(await committedLabels(db)).toEqual(['beside']);
  });

  test('its tx client and the service’s client work side by side, at every depth', async () => {
    await runInTransaction(async () => {
      await prisma.$transaction(async (tx) => {
        await tx.entry.create({ data: { label: 'tx' } });
        await runInTransaction(
          async () => {
            await prisma.entry.create({ data: { label: 'nested' } });
            await tx.entry.create({ data: { label: 'tx in nested' } });
          },
          { propagation: 'NESTED' },
        );
        await tx.$transaction(async (deeper) => {
          await prisma.entry.create({ data: { label: 'service' } });
          await deeper.entry.create({ data: { label: 'deeper' } });
          await family(1);
        });
        await tx
          .$transaction(async (deeper) => {
            await deeper.entry.create({ data: { label: 'undone' } });
            throw new Error('no');
          })
          .catch(() => {});
      });
    });
    expect(await committedLabels(db)).toEqual(['tx', 'nested', 'tx in nested', 'service', 'deeper']);
    expect(await parents()).toEqual([0, 1]);
  });

  test('used by a REQUIRES_NEW method, its tx client stays in its own transaction', async () => {
    const failing = runInTransaction(() =>
      prisma.$transaction(async (tx) => {
        await runInTransaction(
          async () => {
            await tx.entry.create({ data: { label: 'outer' } });
            await prisma.entry.create({ data: { label: 'inner' } });
          },
          { propagation: 'REQUIRES_NEW' },
        );
        throw new Error('no');
      }),
    );
    await expect(failing).rejects.toThrow('no');
    expect(await committedLabels(db)).toEqual(['inner']);
  });

  test('its tx client is refused after its end, as Prisma does it', async () => {
    await runInTransaction(async () => {
      const { tx } = await prisma.$transaction(async (client) => ({ tx: client }));
      const late = tx.entry.create({ data: { label: 'late' } });
      await expect(late).rejects.toMatchObject({ code: 'P2028' });
    });
    expect(await committedLabels(db)).toEqual([]);
  });

  test('reads a page and its count in a read-only transaction; a write there is the server’s to refuse', async () => {
    await runInTransaction(
      async () => {
        const page = prisma.$transaction([prisma.parent.findMany(), prisma.parent.count()]);
        expect(await page).toEqual([[{ id: 0 }], 1]);
        await expect(prisma.$transaction((tx) => tx.parent.create({ data: { id: 1 } }))).rejects.toThrow(
          /read-only transaction/,
        );
      },
      { readOnly: true },
    );
  });

  test('the isolation level of the client’s own options is compared as well', async () => {
    const { prisma: strict } = startPrismaApp(db, {}, 'strict', {
      transactionOptions: { isolationLevel: 'Serializable', timeout: 1 },
    });
    const inside = (isolationLevel?: 'SERIALIZABLE'): Promise<unknown> =>
      runInTransaction(() => strict.$transaction((tx) => tx.parent.create({ data: { id: 1 } })), {
        dataSource: 'strict',
        ...(isolationLevel && { isolationLevel }),
      });
    await expect(inside()).rejects.toMatchObject({ code: 'ISOLATION_MISMATCH' });
    await inside('SERIALIZABLE');
    expect(await parents()).toEqual([0, 1]);
  });
});

describe('a transactional method inside Prisma’s own $transaction, begun outside any', () => {
  test('is a transaction of its own on another connection, while the tx client stays on Prisma’s', async () => {
    const failing = prisma.$transaction(async (tx) => {
      await runInTransaction(async () => {
        await prisma.entry.create({ data: { label: 'ours' } });
        await tx.entry.create({ data: { label: 'Prisma’s' } });
      });
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await committedLabels(db)).toEqual(['ours']);
  });
});
