import 'reflect-metadata';
import { afterCommit, type ManagedPool, runInTransaction } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { useDatabase } from '../harness/database.js';
import { gate, until } from '../transaction/entries.js';

const db = useDatabase();
let dataSource: DataSource;
let managed: ManagedPool;

beforeEach(async () => {
  dataSource = await new DataSource({ type: 'postgres', url: db.url, poolSize: 2 }).initialize();
  db.defer(() => dataSource.destroy());
  managed = manageDataSource(dataSource).primary;
});
afterEach(() => db.truncate());

const labels = async (): Promise<unknown[]> =>
  (await db.query('SELECT label FROM entry')).map(({ label }) => label);
const insert = (label: string): Promise<unknown> =>
  dataSource.query('INSERT INTO entry (label) VALUES ($1)', [label]);

/** Transactions that no transactional method surrounds. */
const outermost: Record<string, (work: (manager: EntityManager) => Promise<void>) => Promise<void>> = {
  async 'a hand-written transaction'(work) {
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    try {
      await work(runner.manager);
      await runner.commitTransaction();
    } catch (error) {
      await runner.rollbackTransaction();
      throw error;
    } finally {
      await runner.release();
    }
  },
  'dataSource.transaction()': (work) => dataSource.transaction(work),
};

describe.each(Object.keys(outermost))('inside %s that no transactional method surrounds', (name) => {
  const begin = outermost[name]!;

  test('a transactional method is a transaction of its own: it stays when the other is rolled back', async () => {
    const call = begin(async (manager) => {
      await manager.query(`INSERT INTO entry (label) VALUES ('by hand')`);
      await runInTransaction(() => insert('inner'));
      throw new Error('rolled back');
    });
    await expect(call).rejects.toThrow('rolled back');
    expect(await labels()).toEqual(['inner']);
  });

  test('MANDATORY refuses', async () => {
    const call = begin(async () => {
      await runInTransaction(() => insert('inner'), { propagation: 'MANDATORY' });
    });
    await expect(call).rejects.toMatchObject({ code: 'PROPAGATION' });
  });

  test('an after-commit hook runs at once, before the commit', async () => {
    const events: string[] = [];
    await begin(async () => {
      afterCommit(() => void events.push('hook'));
      events.push('still open');
    });
    expect(events).toEqual(['hook', 'still open']);
  });

  test('two such calls wait for the connections of one another', async () => {
    const stopped = gate();
    const inner: Promise<unknown>[] = [];
    const both = [1, 2].map((each) =>
      begin(async (manager) => {
        await manager.query('SELECT 1');
        inner.push(runInTransaction(() => insert(`inner ${each}`)));
        await Promise.race([inner.at(-1), stopped.opened]);
      }),
    );
    await until(async () => managed.counts().inUse === 2 && managed.counts().pending === 2);
    stopped.open();
    await Promise.all(both);
    await Promise.all(inner);
    expect(await labels()).toHaveLength(2);
  });
});
