import { currentTransaction, runInTransaction } from 'holdfast';
import type { PrismaClient } from './generated/client.js';
import { useDatabase } from '../harness/database.js';
import { barrier, committedLabels, type PrismaApp, startPrismaApp } from './prisma-app.js';

const db = useDatabase();
let app: PrismaApp;
let prisma: PrismaClient;

beforeEach(() => {
  app = startPrismaApp(db);
  prisma = app.prisma;
});
afterEach(() => db.truncate());

const add = (label: string): Promise<unknown> => prisma.entry.create({ data: { label } });

describe('Prisma’s $transaction inside a transaction', () => {
  test('is a savepoint: its failure undoes its own work, and what the ambient client did in it', async () => {
    await runInTransaction(async () => {
      await add('before');
      const failing = prisma.$transaction(async (tx) => {
        await tx.entry.create({ data: { label: 'inside' } });
        await add('inside, through the service');
        throw new Error('no');
      });
      await expect(failing).rejects.toThrow('no');
      await add('after');
    });
    expect(await committedLabels(db)).toEqual(['before', 'after']);
  });

  test('has savepoints by hand of its own; those of calls by themselves cannot be told apart', async () => {
    await runInTransaction(async () => {
      await prisma.$transaction(async (tx) => {
        await tx.$executeRaw`SAVEPOINT a`;
        await tx.entry.create({ data: { label: 'undone' } });
        await tx.$executeRaw`ROLLBACK TO SAVEPOINT a`;
        await tx.entry.create({ data: { label: 'kept' } });
        await expect(prisma.$executeRaw`ROLLBACK TO SAVEPOINT a`).rejects.toMatchObject({
          code: 'TRANSACTION_CONTROL',
        });
      });
    });
    expect(await committedLabels(db)).toEqual(['kept']);
  });

  test('an array of which one fails is undone as a whole, and only it', async () => {
    await runInTransaction(async () => {
      await add('before');
      const failing = prisma.$transaction([
        prisma.account.create({ data: { owner: 'ada' } }),
        prisma.account.create({ data: { owner: 'ada' } }),
      ]);
      await expect(failing).rejects.toMatchObject({ code: 'P2002' });
      await add('after');
    });
    expect(await committedLabels(db)).toEqual(['before', 'after']);
    expect(await db.query('SELECT * FROM account')).toEqual([]);
  });

  test('three at once take turns; the one that fails takes nothing of the others with it', async () => {
    await runInTransaction(async () => {
      const results = await Promise.allSettled(
        ['a', 'b', 'c'].map((label) =>
          prisma.$transaction(async (tx) => {
            await tx.entry.create({ data: { label: `${label}1` } });
            await tx.entry.create({ data: { label: `${label}2` } });
            if (label === 'b') throw new Error('no');
          }),
        ),
      );
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    });
    expect(await committedLabels(db)).toEqual(['a1', 'a2', 'c1', 'c2']);
  });

  test('nests in itself', async () => {
    let depth: number | undefined;
    await runInTransaction(async () => {
      await prisma.$transaction(async (tx) => {
        await tx.entry.create({ data: { label: 'outer' } });
        await prisma
          .$transaction(async (inner) => {
            depth = currentTransaction()?.depth;
            await inner.entry.create({ data: { label: 'inner' } });
            throw new Error('no');
          })
          .catch(() => {});
      });
    });
    expect(depth).toBe(3);
    expect(await committedLabels(db)).toEqual(['outer']);
  });

  test('is gone when the transaction around it rolls back', async () => {
    const failing = runInTransaction(async () => {
      await prisma.$transaction((tx) => tx.entry.create({ data: { label: 'a' } }));
      throw new Error('outer');
    });
    await expect(failing).rejects.toThrow('outer');
    expect(await committedLabels(db)).toEqual([]);
  });

  test('its own timeout and maxWait do not end it', async () => {
    const waiting = await db.client();
    await waiting.query('SELECT pg_advisory_lock(42)');
    const running = runInTransaction(() =>
      prisma.$transaction(
        async (tx) => {
          await tx.entry.create({ data: { label: 'slow' } });
          await tx.$queryRaw`SELECT 1 FROM pg_advisory_xact_lock(42)`;
        },
        { timeout: 1, maxWait: 1 },
      ),
    );
    await untilSomebodyWaits();
    // Its timeout of 1 ms has long passed: the statement waits for a lock that a round trip was needed to see.
    await waiting.query('SELECT pg_advisory_unlock(42)');
    await running;
    expect(await committedLabels(db)).toEqual(['slow']);
  });

  test('the decorator’s timeoutMs does', async () => {
    const holder = await db.client();
    await holder.query('SELECT pg_advisory_lock(43)');
    const running = runInTransaction(
      () => prisma.$transaction((tx) => tx.$queryRaw`SELECT 1 FROM pg_advisory_xact_lock(43)`),
      { timeoutMs: 50 },
    );
    await expect(running).rejects.toMatchObject({ code: 'TRANSACTION_TIMEOUT' });
  });

  test('another isolation level than the transaction’s is refused, its own is not', async () => {
    const inner = (isolationLevel: 'Serializable' | 'RepeatableRead'): Promise<unknown> =>
      prisma.$transaction((tx) => tx.entry.create({ data: { label: isolationLevel } }), { isolationLevel });
    await runInTransaction(
      async () => {
        await inner('Serializable');
        await expect(inner('RepeatableRead')).rejects.toMatchObject({ code: 'ISOLATION_MISMATCH' });
      },
      { isolationLevel: 'SERIALIZABLE' },
    );
    expect(await committedLabels(db)).toEqual(['Serializable']);
  });
});

describe('Prisma’s $transaction outside a transaction', () => {
  test('is Prisma’s own: it commits, rolls back and times out as before', async () => {
    await prisma.$transaction((tx) => tx.entry.create({ data: { label: 'a' } }));
    const failing = prisma.$transaction(async (tx) => {
      await tx.entry.create({ data: { label: 'b' } });
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    const slow = prisma.$transaction(
      async (tx) => {
        await tx.entry.create({ data: { label: 'c' } });
        await untilPrismaHasRolledBack();
        await tx.entry.create({ data: { label: 'd' } });
      },
      { timeout: 20 },
    );
    await expect(slow).rejects.toMatchObject({ code: 'P2028' });
    expect(await committedLabels(db)).toEqual(['a']);
  });
});

test('a write with nested writes, which Prisma wraps in a transaction of its own, is part of ours', async () => {
  const meet = barrier(2);
  const insert = (label: string): Promise<void> =>
    runInTransaction(async () => {
      await prisma.entry.create({ data: { label } });
      await meet();
      await prisma.entry.updateMany({ where: { label }, data: { label: `${label}!` } });
      if (label === 'b') throw new Error('no');
    });
  await Promise.allSettled([insert('a'), insert('b')]);
  expect(await committedLabels(db)).toEqual(['a!']);
});

async function untilPrismaHasRolledBack(): Promise<void> {
  while ((await db.sessions()).some(({ inTransaction }) => inTransaction));
}

async function untilSomebodyWaits(): Promise<void> {
  for (;;) {
    const [row] = await db.query<{ waiting: number }>(
      `SELECT count(*)::int AS waiting FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    if ((row?.waiting ?? 0) > 0) return;
  }
}

test('a BEGIN by $executeRaw that nobody can end rolls the method back, and says what to use', async () => {
  const called = runInTransaction(async () => {
    await prisma.$executeRaw`BEGIN`;
    await prisma.entry.create({ data: { label: 'lost' } });
    await prisma.$executeRaw`COMMIT`.catch(() => {});
  });
  await expect(called).rejects.toThrow(/for a BEGIN of your own use prisma\.\$transaction\(\)/);
  expect(await committedLabels(db)).toEqual([]);
});
