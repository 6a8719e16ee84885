import 'reflect-metadata';
import { DataSource } from 'typeorm';
import { afterCommit, afterRollback, type ManagedSource, runInTransaction } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { runningTransactions } from '../../src/connection/index.js';
import { useDatabase } from '../harness/database.js';
import { gate, until } from './entries.js';
import { useLog } from './log.js';

const db = useDatabase();
const log = useLog();
const never = (): Promise<never> => new Promise(() => undefined);
const ignore = (): undefined => undefined;
let dataSource: DataSource;

async function start(shutdownTimeoutMs: number): Promise<void> {
  dataSource = await new DataSource({ type: 'postgres', url: db.url, poolSize: 3 }).initialize();
  manageDataSource(dataSource, { shutdownTimeoutMs });
}
const insert = (label: string): Promise<unknown> =>
  dataSource.query('INSERT INTO entry (label) VALUES ($1)', [label]);
const committed = async (): Promise<string[]> =>
  (await db.query<{ label: string }>('SELECT label FROM entry ORDER BY id')).map(({ label }) => label);
const source = (): ManagedSource => manageDataSource(dataSource);
afterEach(async () => {
  if (dataSource.isInitialized) await dataSource.destroy();
  await db.truncate();
});

test.each([
  ['after-commit', afterCommit, () => Promise.resolve(), ['work', 'hook']],
  ['after-rollback', afterRollback, () => Promise.reject(new Error('no')), ['hook']],
] as const)(
  'destroy() waits for %s hooks, whose statements still find the pool',
  async (_, register, end, rows) => {
    await start(30_000);
    const [begun, held] = [gate(), gate()];
    const events: string[] = [];
    const call = runInTransaction(async () => {
      await insert('work');
      register(async () => {
        begun.open();
        await held.opened;
        await insert('hook');
        events.push('hook');
      });
      await end();
    }).catch(ignore);
    await begun.opened;
    const destroyed = dataSource.destroy().then(() => events.push('destroyed'));
    held.open();
    await Promise.all([call, destroyed]);

    expect(events).toEqual(['hook', 'destroyed']);
    expect(await committed()).toEqual(rows);
    expect(log.warnings).toEqual([]);
  },
);

test('a hook that never settles is waited for as long as shutdownTimeoutMs, named, and let go', async () => {
  await start(50);
  const begun = gate();
  const call = runInTransaction(
    async () => {
      await insert('work');
      afterCommit(() => {
        begun.open();
        return never();
      });
    },
    { name: 'Orders.place' },
  );
  void call;
  await begun.opened;
  const managed = source();
  expect(runningTransactions.endedOn(managed)).toHaveLength(1);
  await dataSource.destroy();

  expect(log.warnings).toEqual([
    [
      expect.objectContaining({ transaction: 'Orders.place', dataSource: 'default', limitMs: 50 }),
      expect.stringContaining(
        'a hook of "Orders.place", which has ended, still ran 50 ms after shutdown began',
      ),
    ],
  ]);
  expect(runningTransactions.endedOn(managed)).toEqual([]);
  expect(await committed()).toEqual(['work']);
});

test('nor is a subscriber after the commit', async () => {
  await start(50);
  const begun = gate();
  dataSource.subscribers.push({
    afterTransactionCommit() {
      begun.open();
      return never();
    },
  });
  void runInTransaction(() => insert('work'), { name: 'Orders.place' });
  await begun.opened;
  const managed = source();
  await dataSource.destroy();

  expect(log.warnings.map(([, message]) => message)).toEqual([
    expect.stringContaining('a hook of "Orders.place", which has ended, still ran'),
  ]);
  expect([runningTransactions.on(managed), runningTransactions.endedOn(managed)]).toEqual([[], []]);
  expect(await committed()).toEqual(['work']);
});

test('nor is a hook of the rollback that the shutdown itself brought about', async () => {
  await start(50);
  const begun = gate();
  void runInTransaction(
    async () => {
      await insert('work');
      afterRollback(never);
      begun.open();
      await never();
    },
    { name: 'Orders.place' },
  );
  await begun.opened;
  const managed = source();
  await dataSource.destroy();

  expect(log.warnings.map(([, message]) => message)).toEqual([
    expect.stringContaining('"Orders.place" still ran 50 ms after shutdown began; it is rolled back'),
    expect.stringContaining('a hook of "Orders.place", which has ended, still ran'),
  ]);
  expect([runningTransactions.on(managed), runningTransactions.endedOn(managed)]).toEqual([[], []]);
  expect(await committed()).toEqual([]);
});

describe('a call that pauses before it is run again', () => {
  const retrying = (options: { backoffMs: number }, failing: () => Promise<unknown>): Promise<unknown> =>
    runInTransaction(failing, {
      name: 'Orders.place',
      retry: { ...options, maxBackoffMs: options.backoffMs, on: () => true },
    });

  test('is waited for', async () => {
    await start(30_000);
    let runs = 0;
    const failed = gate();
    const call = retrying({ backoffMs: 30 }, async () => {
      await insert(`run ${++runs}`);
      if (runs > 1) return;
      failed.open();
      throw new Error('again');
    });
    await failed.opened;
    await until(async () => runningTransactions.on(source()).length === 1);
    await dataSource.destroy();
    await call;
    expect(await committed()).toEqual(['run 2']);
  });

  test('is ended by the limit: its caller is told of the shutdown, and nothing is run again', async () => {
    await start(50);
    let runs = 0;
    const failed = gate();
    const call = retrying({ backoffMs: 60_000 }, async () => {
      runs++;
      await insert('work');
      failed.open();
      throw new Error('again');
    });
    const told = call.catch((error: unknown) => error);
    await failed.opened;
    await dataSource.destroy();
    expect(await told).toMatchObject({ code: 'SHUTDOWN' });
    expect(runs).toBe(1);
    expect(await committed()).toEqual([]);
  });
});

test('a transaction that a shutdown has ended is not run again, whatever retry.on says', async () => {
  await start(50);
  let runs = 0;
  const begun = gate();
  const call = runInTransaction(
    async () => {
      runs++;
      await insert('work');
      begun.open();
      await never();
    },
    { retry: { backoffMs: 1, on: () => true } },
  );
  const told = call.catch((error: unknown) => error);
  await begun.opened;
  await dataSource.destroy();
  expect(await told).toMatchObject({ code: 'SHUTDOWN' });
  expect(runs).toBe(1);
});
