import type { Pool } from 'mariadb';
import { currentTransaction, runInTransaction } from 'holdfast';
import { failureOf } from '../../conformance/observing.js';
import { startMysqlPrisma } from '../../conformance/mysql-pools.js';
import { mysqlLabelsIn } from '../../conformance/mysql-ways-in.js';
import { useMysqlDatabase } from '../../harness/mysql-database.js';
import { started } from '../prisma-app.js';
import type { PrismaClient } from './generated/client.js';

const db = useMysqlDatabase();
const boom = new Error('boom');
let pool: Pool;
let prisma: PrismaClient;

beforeEach(async () => {
  await db.truncate();
  ({ pool, prisma } = startMysqlPrisma(db, { max: 6 }));
  await family(0);
});

const add = (label: string): Promise<unknown> => started(prisma.entry.create({ data: { label } }));
/** A write with nested writes, which Prisma surrounds with a transaction of its own. Child 0 exists, so it fails. */
const family = (id: number, child = id): Promise<unknown> =>
  started(prisma.parent.create({ data: { id, children: { create: [{ id: child }] } } }));
const parents = async (): Promise<number[]> =>
  (await db.query<{ id: number }>('SELECT id FROM parent ORDER BY id')).map(({ id }) => id);
const statuses = async (work: Promise<unknown>[]): Promise<string[]> =>
  (await Promise.allSettled(work)).map(({ status }) => status);

describe('Prisma’s $transaction inside a transaction', () => {
  test('is a savepoint: its failure undoes its own work, and what the ambient client did in it', async () => {
    await runInTransaction(async () => {
      await add('before');
      const failing = prisma.$transaction(async (tx) => {
        await tx.entry.create({ data: { label: 'inside' } });
        await add('inside, through the service');
        await pool.query("INSERT INTO entry (label) VALUES ('inside, through mariadb')");
        throw boom;
      });
      expect(await failureOf(failing)).toBe(boom);
      await add('after');
    });
    expect(await mysqlLabelsIn(db)).toEqual(['before', 'after']);
  });

  test('an array of which one fails is undone as a whole, and only it', async () => {
    await runInTransaction(async () => {
      await add('before');
      const failing = prisma.$transaction([
        prisma.account.create({ data: { owner: 'ada' } }),
        prisma.account.create({ data: { owner: 'ada' } }),
      ]);
      expect(await failureOf(failing)).toMatchObject({ code: 'P2002' });
      await add('after');
    });
    expect(await mysqlLabelsIn(db)).toEqual(['before', 'after']);
    expect(await db.query('SELECT * FROM account')).toEqual([]);
  });

  test('three at once take turns; the one that fails takes nothing of the others with it', async () => {
    await runInTransaction(async () => {
      const three = ['a', 'b', 'c'].map((label) =>
        prisma.$transaction(async (tx) => {
          await tx.entry.create({ data: { label: `${label}1` } });
          await tx.entry.create({ data: { label: `${label}2` } });
          if (label === 'b') throw boom;
        }),
      );
      expect(await statuses(three)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    });
    expect(await mysqlLabelsIn(db)).toEqual(['a1', 'a2', 'c1', 'c2']);
  });

  test('nests in itself, through the ambient client and through its own', async () => {
    let depth: number | undefined;
    await runInTransaction(async () => {
      await prisma.$transaction(async (tx) => {
        await tx.entry.create({ data: { label: 'outer' } });
        const nested = prisma.$transaction(async (inner) => {
          depth = currentTransaction()?.depth;
          await inner.entry.create({ data: { label: 'undone' } });
          throw boom;
        });
        expect(await failureOf(nested)).toBe(boom);
        const deeper = tx.$transaction(async (inner) => {
          await inner.entry.create({ data: { label: 'undone' } });
          throw boom;
        });
        expect(await failureOf(deeper)).toBe(boom);
        await tx.$transaction((inner) => inner.entry.create({ data: { label: 'deeper' } }));
      });
    });
    expect(depth).toBe(3);
    expect(await mysqlLabelsIn(db)).toEqual(['outer', 'deeper']);
  });

  test('is gone when the transaction around it rolls back', async () => {
    const called = runInTransaction(async () => {
      await prisma.$transaction((tx) => tx.entry.create({ data: { label: 'a' } }));
      throw boom;
    });
    expect(await failureOf(called)).toBe(boom);
    expect(await mysqlLabelsIn(db)).toEqual([]);
  });

  test('another isolation level than the transaction’s is refused, its own is not', async () => {
    const inner = (isolationLevel: 'Serializable' | 'RepeatableRead'): Promise<unknown> =>
      prisma.$transaction((tx) => tx.entry.create({ data: { label: isolationLevel } }), { isolationLevel });
    await runInTransaction(
      async () => {
        await inner('Serializable');
        expect(await failureOf(inner('RepeatableRead'))).toMatchObject({ code: 'ISOLATION_MISMATCH' });
      },
      { isolationLevel: 'SERIALIZABLE' },
    );
    expect(await mysqlLabelsIn(db)).toEqual(['Serializable']);
  });
});

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
        started(prisma.parent.create({ data: { id: 3 } })),
        pool.query('INSERT INTO parent (id) VALUES (4)'),
        runInTransaction(() => family(5), { propagation: 'NESTED' }),
        prisma.$transaction((tx) => tx.parent.create({ data: { id: 6 } })),
      ]);
      const fine = 'fulfilled';
      expect(await beside).toEqual([fine, 'rejected', fine, fine, fine, fine]);
    });
    expect(await parents()).toEqual([0, 1, 3, 4, 5, 6]);
  });
});

describe('Prisma’s $transaction outside a transaction', () => {
  test('is Prisma’s own: it commits, takes an isolation level, and rolls back', async () => {
    await prisma.$transaction((tx) => tx.entry.create({ data: { label: 'a' } }), {
      isolationLevel: 'Serializable',
    });
    const failing = prisma.$transaction(async (tx) => {
      await tx.entry.create({ data: { label: 'b' } });
      throw boom;
    });
    expect(await failureOf(failing)).toBe(boom);
    expect(await mysqlLabelsIn(db)).toEqual(['a']);
  });

  test('a transactional method inside is a transaction of its own, while the tx client stays on Prisma’s', async () => {
    const failing = prisma.$transaction(async (tx) => {
      await runInTransaction(async () => {
        await add('ours');
        await tx.entry.create({ data: { label: 'Prisma’s' } });
      });
      throw boom;
    });
    expect(await failureOf(failing)).toBe(boom);
    expect(await mysqlLabelsIn(db)).toEqual(['ours']);
  });
});
