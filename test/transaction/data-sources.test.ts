import type { Pool } from 'pg';
import {
  afterCommit,
  currentTransaction,
  type ManagedPool,
  managePool,
  runInTransaction,
  unmanagePool,
} from 'holdfast';
import { useDatabase } from '../harness/database.js';

const shop = useDatabase();
const reports = useDatabase();
const fail = (): never => {
  throw new Error('no');
};

let pools: { shop: Pool; reports: Pool };
let managed: ManagedPool[];
beforeEach(() => {
  pools = { shop: shop.pool({ max: 3 }), reports: reports.pool({ max: 3 }) };
  managed = [managePool(pools.shop), managePool(pools.reports, { name: 'reports' })];
});
afterEach(async () => {
  managed.forEach(unmanagePool);
  await shop.truncate();
  await reports.truncate();
});

const add = (source: 'shop' | 'reports', label: string) =>
  pools[source].query('INSERT INTO entry (label) VALUES ($1)', [label]);
async function committed(): Promise<{ shop: string[]; reports: string[] }> {
  const labels = async (db: typeof shop) =>
    (await db.query<{ label: string }>('SELECT label FROM entry ORDER BY id')).map(({ label }) => label);
  return { shop: await labels(shop), reports: await labels(reports) };
}
const inReports = <T>(work: () => Promise<T>): Promise<T> =>
  runInTransaction(work, { dataSource: 'reports' });

test('a transaction is one data source’s; what others are asked for commits by itself', async () => {
  const call = runInTransaction(async () => {
    await add('shop', 'undone');
    await add('reports', 'kept');
    fail();
  });
  await expect(call).rejects.toThrow('no');
  expect(await committed()).toEqual({ shop: [], reports: ['kept'] });
});

test('transactions of two data sources, one inside the other, end independently', async () => {
  const call = runInTransaction(async () => {
    await add('shop', 'outer');
    await inReports(async () => {
      await add('reports', 'inner');
      await add('shop', 'outer, from inside');
    });
    expect(await committed()).toEqual({ shop: [], reports: ['inner'] });
    fail();
  });
  await expect(call).rejects.toThrow('no');
  expect(await committed()).toEqual({ shop: [], reports: ['inner'] });
});

test('a failure of the inner one, swallowed, leaves the outer one alone', async () => {
  await runInTransaction(async () => {
    await add('shop', 'outer');
    await inReports(async () => {
      await add('reports', 'inner');
      fail();
    }).catch(() => undefined);
  });
  expect(await committed()).toEqual({ shop: ['outer'], reports: [] });
});

test('a call inside finds its own data source’s transaction again, through the other’s', async () => {
  await runInTransaction(async () => {
    const outer = currentTransaction()!;
    await inReports(async () => {
      await runInTransaction(async () => expect(currentTransaction('default')!.id).toBe(outer.id), {
        propagation: 'MANDATORY',
      });
      expect(currentTransaction()!.dataSource).toBe('reports');
      expect(currentTransaction('reports')!.id).toBe(currentTransaction()!.id);
      expect(currentTransaction('default')!.id).toBe(outer.id);
    });
    expect(currentTransaction('reports')).toBeUndefined();
  });
});

test('a method that joins through the other data source is told apart as the innermost', async () => {
  await runInTransaction(() =>
    inReports(() =>
      runInTransaction(async () => {
        expect(currentTransaction()).toMatchObject({ dataSource: 'default', depth: 1 });
      }),
    ),
  );
});

test('NOT_SUPPORTED suspends one data source’s transaction and no other', async () => {
  const call = runInTransaction(() =>
    inReports(async () => {
      await runInTransaction(
        async () => {
          expect(currentTransaction('default')).toBeUndefined();
          expect(currentTransaction('reports')).toBeDefined();
          await add('shop', 'kept');
          await add('reports', 'undone');
        },
        { propagation: 'NOT_SUPPORTED' },
      );
      fail();
    }),
  );
  await expect(call).rejects.toThrow('no');
  expect(await committed()).toEqual({ shop: ['kept'], reports: [] });
});

test('hooks belong to the innermost transaction and run at its COMMIT', async () => {
  const events: string[] = [];
  await runInTransaction(async () => {
    afterCommit(() => events.push('shop 1'));
    await inReports(async () => {
      afterCommit(() => events.push('reports'));
    });
    events.push('reports returned');
    afterCommit(() => events.push('shop 2'));
  });
  expect(events).toEqual(['reports', 'reports returned', 'shop 1', 'shop 2']);
});

test('scopes of one method name on both are not mixed up', async () => {
  const save = (dataSource: string, label: string, work = async (): Promise<void> => undefined) =>
    runInTransaction(
      async () => {
        await add(dataSource === 'default' ? 'shop' : 'reports', label);
        await work();
      },
      { dataSource, propagation: 'NESTED', name: 'Log.save' },
    );
  await save('default', 'a', () =>
    save('reports', 'b', async () => {
      await save('default', 'c', async () => fail()).catch(() => undefined);
      await save('reports', 'd');
    }),
  );
  expect(await committed()).toEqual({ shop: ['a'], reports: ['b', 'd'] });
});

test('both at once, in parallel branches', async () => {
  const branch = async (source: 'shop' | 'reports', n: number): Promise<void> => {
    await add(source, `${n}`);
    if (n % 2 === 1) fail();
  };
  await Promise.allSettled(
    [0, 1, 2, 3].map((n) =>
      runInTransaction(() => branch('shop', n)).finally(() => inReports(() => branch('reports', n))),
    ),
  );
  const { shop: first, reports: second } = await committed();
  expect([first.sort(), second.sort()]).toEqual([
    ['0', '2'],
    ['0', '2'],
  ]);
});

test('a name that nobody manages is refused with the names that exist and what to do', async () => {
  const work = jest.fn(async () => undefined);
  await expect(runInTransaction(work, { dataSource: 'repots' })).rejects.toMatchObject({
    code: 'UNKNOWN_DATA_SOURCE',
    message: expect.stringMatching(
      /named "repots"\. Managed: "default", "reports"\. .*managePool\(pool, \{ name \}\)/,
    ),
  });
  expect(work).not.toHaveBeenCalled();
  expect(() => currentTransaction('repots')).toThrow(
    expect.objectContaining({ code: 'UNKNOWN_DATA_SOURCE' }),
  );
});

test('without any managed pool the message says so', async () => {
  managed.forEach(unmanagePool);
  await expect(runInTransaction(async () => undefined, { dataSource: 'orders' })).rejects.toMatchObject({
    code: 'UNKNOWN_DATA_SOURCE',
    message: expect.stringContaining('named "orders". None is managed yet.'),
  });
});

test('of a pool that was unmanaged the message says so, and no longer once its name is taken again', async () => {
  const reports = managed.find(({ name }) => name === 'reports')!;
  const call = (): Promise<unknown> => runInTransaction(async () => undefined, { dataSource: 'reports' });
  unmanagePool(reports);
  await expect(call()).rejects.toMatchObject({
    code: 'UNKNOWN_DATA_SOURCE',
    message: expect.stringMatching(
      /^Data source "reports" was unmanaged and is no longer managed\. Managed: "default"\. /,
    ),
  });
  managePool(pools.reports, { name: 'reports' });
  await call();
});

test('a pool that has ended is refused by name', async () => {
  await pools.reports.end();
  await expect(inReports(async () => undefined)).rejects.toMatchObject({
    code: 'POOL_ENDED',
    message: expect.stringContaining('"reports"'),
  });
});
