import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { DuplicateDataSourceError, InvalidOptionsError, runInTransaction, unmanagePool } from 'holdfast';
import { isManagedDataSource, manageDataSource } from 'holdfast/typeorm';
import { signal } from '../conformance/observing.js';
import { errorOf } from '../connection/inspect.js';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
let dataSource: DataSource;
beforeEach(async () => {
  dataSource = new DataSource({ type: 'postgres', url: db.url, poolSize: 2 });
  await dataSource.initialize();
  db.track((dataSource.driver as unknown as { master: Pool }).master);
});
afterEach(async () => {
  if (dataSource.isInitialized) await dataSource.destroy();
  await db.truncate();
});

const insert = (label: string): Promise<unknown> =>
  dataSource.query('INSERT INTO entry (label) VALUES ($1)', [label]);
const labels = async (): Promise<string[]> =>
  (await db.query<{ label: string }>('SELECT label FROM entry ORDER BY id')).map(({ label }) => label);

test('isManagedDataSource() tells whether it is', () => {
  expect(isManagedDataSource(dataSource)).toBe(false);
  manageDataSource(dataSource);
  expect(isManagedDataSource(dataSource)).toBe(true);
});

test('a repeated call may leave the options of the first out, or give them again', () => {
  const source = manageDataSource(dataSource, { name: 'shop', shutdownTimeoutMs: 300 });
  expect(manageDataSource(dataSource)).toBe(source);
  expect(manageDataSource(dataSource, { shutdownTimeoutMs: 300 })).toBe(source);
  expect(manageDataSource(dataSource, { name: 'shop' })).toBe(source);
});

test.each([
  ['given', { shutdownTimeoutMs: 300 }, 300],
  ['the default', {}, 10_000],
])('a repeated call with another shutdownTimeoutMs is refused: the first was %s', (_which, first, known) => {
  manageDataSource(dataSource, first);
  const error = errorOf(() => manageDataSource(dataSource, { shutdownTimeoutMs: 100 }));
  expect(error).toBeInstanceOf(InvalidOptionsError);
  expect(error.message).toBe(
    `manageDataSource options.shutdownTimeoutMs is 100, but data source "default" is managed with ${known}. Give it in the first call, or leave it out.`,
  );
});

test('a repeated call with another name is refused', () => {
  manageDataSource(dataSource, { name: 'shop' });
  const error = errorOf(() => manageDataSource(dataSource, { name: 'store' }));
  expect(error).toBeInstanceOf(DuplicateDataSourceError);
});

test('what the first call said is in force after destroy() and initialize()', async () => {
  manageDataSource(dataSource, { name: 'shop', shutdownTimeoutMs: 20 });
  await dataSource.destroy();
  await dataSource.initialize();
  db.track((dataSource.driver as unknown as { master: Pool }).master);
  const began = signal();
  const running = runInTransaction(
    async () => {
      await insert('lost');
      began.send();
      await new Promise(() => undefined);
    },
    { dataSource: 'shop' },
  );
  running.catch(() => undefined);
  await began.sent;
  await dataSource.destroy();

  await expect(running).rejects.toMatchObject({
    code: 'SHUTDOWN',
    message: expect.stringContaining('still ran 20 ms') as unknown,
  });
  expect(await labels()).toEqual([]);
});

test('a method that outlives its transaction, and destroy() and initialize(), writes nothing', async () => {
  manageDataSource(dataSource, { shutdownTimeoutMs: 20 });
  const [began, goOn] = [signal(), signal()];
  let late: Promise<unknown> | undefined;
  const running = runInTransaction(async () => {
    await insert('lost');
    began.send();
    await (late = goOn.sent.then(() => insert('late')));
  });
  running.catch(() => undefined);
  await began.sent;
  await dataSource.destroy();
  await dataSource.initialize();
  db.track((dataSource.driver as unknown as { master: Pool }).master);
  goOn.send();

  await expect(late).rejects.toMatchObject({ code: 'TRANSACTION_CLOSED' });
  await expect(running).rejects.toMatchObject({ code: 'SHUTDOWN' });
  expect(await labels()).toEqual([]);
});

test('unmanaged while a transaction runs, every way into TypeORM stays in it', async () => {
  const { primary } = manageDataSource(dataSource);
  const running = runInTransaction(async () => {
    await insert('first');
    unmanagePool(primary);
    await insert('second');
    await dataSource.transaction((manager) => manager.query("INSERT INTO entry (label) VALUES ('third')"));
    const runner = dataSource.createQueryRunner();
    await runner.query("INSERT INTO entry (label) VALUES ('fourth')");
    await runner.release();
    throw new Error('undo it all');
  });
  await expect(running).rejects.toThrow('undo it all');
  expect(await labels()).toEqual([]);
});
