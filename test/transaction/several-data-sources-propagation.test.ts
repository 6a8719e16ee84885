import { currentTransaction, runInTransaction } from 'holdfast';
import { useLog } from './log.js';
import {
  accesses,
  insert,
  insertOrphan,
  onBoth,
  type SourceName,
  type Sources,
  useTwoSources,
} from './two-sources.js';

const two = useTwoSources();
useLog();
let sources: Sources;
const NOTHING = { orders: [], audit: [] };
const codeOf = ({ code }: { code: string }): string => code;
const fail = (): never => {
  throw new Error('no');
};
const on = <T>(dataSource: SourceName, work: () => Promise<T>): Promise<T> =>
  runInTransaction(work, { dataSource });

describe('propagation, decided for each data source', () => {
  beforeEach(async () => (sources = await two.open(accesses[0]!)));
  const both = async (): Promise<void> => {
    await insert(sources.orders, 'inner order');
    await insert(sources.audit, 'inner note');
  };

  test.each([
    // The transaction on orders is there; the one on audit is not.
    { propagation: 'REQUIRED', joins: true, audit: ['inner note'], orders: [] },
    { propagation: 'NESTED', joins: true, audit: ['inner note'], orders: [] },
    { propagation: 'SUPPORTS', joins: true, audit: ['inner note'], orders: [] },
    { propagation: 'REQUIRES_NEW', joins: false, audit: ['inner note'], orders: ['inner order'] },
    { propagation: 'NOT_SUPPORTED', joins: false, audit: ['inner note'], orders: ['inner order'] },
  ] as const)(
    '$propagation inside a transaction on the first, which fails afterwards',
    async ({ propagation, joins, ...kept }) => {
      const outer = on('orders', async () => {
        const { id } = currentTransaction('orders')!;
        await onBoth(
          async () => {
            expect(currentTransaction('orders')?.id === id).toBe(joins);
            await both();
          },
          { propagation },
        );
        expect(await two.committed()).toEqual(kept);
        fail();
      });
      await expect(outer).rejects.toThrow('no');
      expect(await two.committed()).toEqual(kept);
    },
  );

  test.each(['REQUIRED', 'NESTED'] as const)(
    '%s inside a transaction on the first, whose connection is lost before it returns: nothing is committed',
    async (propagation) => {
      const outer = on('orders', async () => {
        const inner = onBoth(
          async () => {
            await both();
            await sources.orders.proxy.cut();
            // Meanwhile the pool has heard of it.
            await sources.audit.query('SELECT 1');
          },
          { propagation },
        );
        await expect(inner).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
        expect(await two.committed()).toEqual(NOTHING);
      });
      await expect(outer).rejects.toMatchObject({
        code: 'UNEXPECTED_ROLLBACK',
      });
      expect(await two.committed()).toEqual(NOTHING);
    },
  );

  test.each(['MANDATORY', 'NEVER'] as const)(
    '%s is refused unless it holds for each',
    async (propagation) => {
      const work = jest.fn(async () => undefined);
      await on('orders', async () => {
        await expect(onBoth(work, { propagation })).rejects.toMatchObject({ code: 'PROPAGATION' });
      });
      expect(work).not.toHaveBeenCalled();
    },
  );

  test('MANDATORY joins both where both are there, and NEVER runs where none is', async () => {
    await onBoth(() => onBoth(both, { propagation: 'MANDATORY' }));
    await onBoth(both, { propagation: 'NEVER' });
    expect(await two.committed()).toEqual({
      orders: ['inner order', 'inner order'],
      audit: ['inner note', 'inner note'],
    });
  });

  test('NESTED inside both: its failure undoes its work on both, and no other', async () => {
    await onBoth(async () => {
      await insert(sources.orders, 'outer');
      await insert(sources.audit, 'outer');
      await onBoth(async () => (await both(), fail()), { propagation: 'NESTED' }).catch(() => undefined);
      await onBoth(both, { propagation: 'NESTED' });
    });
    expect(await two.committed()).toEqual({
      orders: ['outer', 'inner order'],
      audit: ['outer', 'inner note'],
    });
  });

  test.each(['REQUIRED', 'NESTED'] as const)(
    '%s: what it begins is refused at COMMIT: its work in the outer transaction is not kept either',
    async (propagation) => {
      const refused: string[] = [];
      const outer = on('orders', async () => {
        await insert(sources.orders, 'outer');
        await onBoth(async () => (await both(), await insertOrphan(sources.audit)), { propagation }).catch(
          ({ code }: { code: string }) => refused.push(code),
        );
      });
      expect(await outer.then(() => 'committed', codeOf)).toBe(
        propagation === 'NESTED' ? 'committed' : 'UNEXPECTED_ROLLBACK',
      );
      expect(refused).toEqual(['23503']);
      expect(await two.committed()).toEqual({ orders: propagation === 'NESTED' ? ['outer'] : [], audit: [] });
    },
  );

  test('a joined transaction that can only be rolled back keeps the other from committing', async () => {
    const outer = on('orders', () =>
      onBoth(async () => {
        await both();
        await sources.orders.query('SELECT 1/0').catch(() => undefined);
      }),
    );
    await expect(outer).rejects.toMatchObject({
      code: 'UNEXPECTED_ROLLBACK',
      message: expect.stringContaining('on data source "orders"'),
    });
    expect(await two.committed()).toEqual(NOTHING);
  });

  test('a joined call that retries is not run again', async () => {
    const work = jest.fn(async () => {
      await sources.audit.query(`DO $$ BEGIN RAISE SQLSTATE '40001'; END $$`);
    });
    const outer = on('orders', () => onBoth(work, { retry: { backoffMs: 1 } }));
    await expect(outer).rejects.toMatchObject({ code: '40001' });
    expect(work).toHaveBeenCalledTimes(1);
  });

  test('another isolation level than that of one of them is refused, before the method is called', async () => {
    const work = jest.fn(async () => undefined);
    await on('audit', async () => {
      await expect(onBoth(work, { isolationLevel: 'SERIALIZABLE' })).rejects.toMatchObject({
        code: 'ISOLATION_MISMATCH',
      });
    });
    expect(work).not.toHaveBeenCalled();
  });
});
