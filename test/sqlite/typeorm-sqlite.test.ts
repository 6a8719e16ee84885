import Database from 'better-sqlite3';
import {
  type AfterQueryEvent,
  DataSource,
  EventSubscriber,
  type EntitySubscriberInterface,
  type InsertEvent,
} from 'typeorm';
import {
  currentTransaction,
  runInTransaction,
  runOutsideTransaction,
  SelfDeadlockError,
  TransactionControlError,
} from 'holdfast';
import { rollbackPerTest } from 'holdfast/testing';
import { isManagedDataSource, manageDataSource } from 'holdfast/typeorm';
import { failureOf, signal } from '../conformance/observing.js';
import { Entry } from '../conformance/ways-in.js';
import { labelsOf, sqliteTypes, useSqlite } from './sqlite-ways-in.js';

const boom = new Error('boom');

/** Asks the database, in ways that have nothing to do with the event's own manager. */
@EventSubscriber()
class Nosy implements EntitySubscriberInterface<Entry> {
  listenTo = (): typeof Entry => Entry;
  async afterInsert({ entity, connection }: InsertEvent<Entry>): Promise<void> {
    if (entity.label !== 'announced') return;
    await connection.getRepository(Entry).save({ label: 'through a repository' });
    await connection.query("INSERT INTO entry (label) VALUES ('through the data source')");
  }
  async afterQuery({ query, connection }: AfterQueryEvent): Promise<void> {
    if (query.startsWith('INSERT INTO "account"')) {
      await connection.query("INSERT INTO entry (label) VALUES ('by the subscriber of a statement')");
      await connection.getRepository(Entry).save({ label: 'and in a transaction' });
    }
  }
}

describe.each(sqliteTypes)('%s', (type) => {
  const source = useSqlite(type, { subscribers: [Nosy], acquireTimeoutMs: 500 });
  const insert = (label: string): Promise<unknown> =>
    source.dataSource.getRepository(Entry).insert({ label });

  test.each([
    ['save() of one', (ds: DataSource, label: string) => ds.getRepository(Entry).save({ label })],
    [
      'insert()',
      async (ds: DataSource, label: string) => {
        const { identifiers } = await ds.getRepository(Entry).insert({ label });
        return { id: identifiers[0]!['id'] as number, label };
      },
    ],
  ])('%s, five at once, inside and outside: each learns the id of its own row', async (_, add) => {
    const five = (): Promise<{ id: number; label: string }[]> =>
      Promise.all(['a', 'b', 'c', 'd', 'e'].map((label) => add(source.dataSource, label)));
    for (const rows of [await runInTransaction(five), await five()]) {
      for (const { id, label } of rows) {
        expect(await source.dataSource.getRepository(Entry).findOneBy({ id })).toEqual({ id, label });
      }
    }
  });

  test.each([
    ['in a transaction', (work: () => Promise<unknown>) => runInTransaction(work)],
    ['outside', (work: () => Promise<unknown>) => work()],
  ])('%s, subscribers may ask for statements of their own', async (_, run) => {
    await run(() => source.dataSource.getRepository(Entry).save({ label: 'announced' }));
    await run(() => source.dataSource.query(`INSERT INTO "account" (owner) VALUES ('ada')`));
    expect(await labelsOf(source)).toEqual([
      'announced',
      'through a repository',
      'through the data source',
      'by the subscriber of a statement',
      'and in a transaction',
    ]);
  });

  test('dataSource.transaction() outside is a transaction that everything inside joins', async () => {
    const called = source.dataSource.transaction(async (manager) => {
      await manager.insert(Entry, { label: 'through its manager' });
      await insert('through a repository');
      expect(currentTransaction()?.name).toBe('EntityManager.transaction');
      throw boom;
    });
    expect(await failureOf(called)).toBe(boom);
    expect(await labelsOf(source)).toEqual([]);
  });

  test.each(['startTransaction()', 'BEGIN IMMEDIATE'] as const)(
    'a hand-written transaction (%s) has the connection until its end; others wait',
    async (begin) => {
      const runner = source.dataSource.createQueryRunner();
      await (begin === 'startTransaction()' ? runner.startTransaction() : runner.query(begin));
      const beside = [insert('beside'), runInTransaction(() => insert('in a transaction'))];
      await runner.manager.insert(Entry, { label: 'by hand' });
      expect(source.managed.counts()).toMatchObject({ inUse: 1, pending: 2 });
      await (begin === 'startTransaction()' ? runner.rollbackTransaction() : runner.query('ROLLBACK'));
      await Promise.all(beside);
      await runner.release();
      expect(await labelsOf(source)).toEqual(['beside', 'in a transaction']);
    },
  );

  test('a statement that a hand-written transaction waits for is refused after acquireTimeoutMs', async () => {
    const runner = source.dataSource.createQueryRunner();
    await runner.startTransaction();
    const error = await failureOf(insert('would wait for itself'));
    expect(error).toMatchObject({ code: 'ACQUIRE_TIMEOUT' });
    expect(error.message).toContain('on SQLite a data source has one connection');
    await runner.commitTransaction();
    expect(await labelsOf(source)).toEqual([]);
  });

  test('a hand-written transaction that is still open at release() is rolled back', async () => {
    const runner = source.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.manager.insert(Entry, { label: 'undone' });
    await runner.release();
    expect(runner.isTransactionActive).toBe(false);
    await insert('next');
    expect(await labelsOf(source)).toEqual(['next']);
  });

  test('two hand-written transactions at once do not mix', async () => {
    const byHand = async (label: string, end: 'commitTransaction' | 'rollbackTransaction'): Promise<void> => {
      const runner = source.dataSource.createQueryRunner();
      await runner.startTransaction();
      await runner.manager.insert(Entry, { label });
      await runner[end]();
      await runner.release();
    };
    await Promise.all([byHand('kept', 'commitTransaction'), byHand('undone', 'rollbackTransaction')]);
    expect(await labelsOf(source)).toEqual(['kept']);
  });

  test('a QueryRunner that was made before the transaction, and is used inside, is part of it', async () => {
    const runner = source.dataSource.createQueryRunner();
    const called = runInTransaction(async () => {
      await runner.manager.insert(Entry, { label: 'undone' });
      throw boom;
    });
    expect(await failureOf(called)).toBe(boom);
    await runner.release();
    expect(await labelsOf(source)).toEqual([]);
  });

  test('runOutsideTransaction() awaited inside is refused at once; not awaited, it waits for the end', async () => {
    const called = runInTransaction(async () => {
      await insert('outer');
      await runOutsideTransaction(() => insert('would wait for itself'));
    });
    expect(await failureOf(called)).toBeInstanceOf(SelfDeadlockError);

    let later: Promise<unknown> = Promise.resolve();
    await runInTransaction(async () => {
      await insert('outer');
      later = runOutsideTransaction(() => insert('afterwards'));
      later.catch(() => undefined);
      await insert('outer still');
    });
    await later;
    expect(await labelsOf(source)).toEqual(['outer', 'outer still', 'afterwards']);
  });

  test('timeoutMs ends a transaction that waits for something else, and rolls it back', async () => {
    const never = signal();
    const called = runInTransaction(
      async () => {
        await insert('undone');
        await never.sent;
      },
      { timeoutMs: 20 },
    );
    expect(await failureOf(called)).toMatchObject({ code: 'TRANSACTION_TIMEOUT' });
    await insert('next');
    expect(await labelsOf(source)).toEqual(['next']);
  });

  test('a captured connection that ends the transaction is noticed', async () => {
    const called = runInTransaction(async () => {
      await insert('committed behind our back');
      (source.managed.native as Database.Database).exec('COMMIT');
      await insert('in autocommit');
    });
    expect(await failureOf(called)).toMatchObject({ code: 'TRANSACTION_CONTROL' });
  });

  test('destroy() waits for the running transaction; initialize() manages the new connection', async () => {
    const go = signal();
    const running = runInTransaction(async () => {
      await insert('in time');
      await go.sent;
      await insert('in time too');
    });
    const destroyed = source.dataSource.destroy();
    go.send();
    await running;
    await destroyed;
    await source.dataSource.initialize();
    expect(isManagedDataSource(source.dataSource)).toBe(true);
    await source.dataSource.query('CREATE TABLE IF NOT EXISTS entry (id integer PRIMARY KEY, label text)');
    const called = runInTransaction(async () => {
      await insert('undone');
      throw boom;
    });
    expect(await failureOf(called)).toBe(boom);
    expect(await labelsOf(source)).toEqual(type === 'sqljs' ? [] : ['in time', 'in time too']);
  });

  test('rollbackPerTest() is refused by name', async () => {
    let [begin, end] = [async (): Promise<void> => {}, async (): Promise<void> => {}];
    rollbackPerTest({ beforeEach: (hook) => (begin = hook), afterEach: (hook) => (end = hook) });
    await begin();
    const refused = { code: 'UNSUPPORTED_DRIVER' };
    expect(await failureOf(runInTransaction(() => insert('never')))).toMatchObject(refused);
    expect(await failureOf(insert('never'))).toMatchObject(refused);
    await end();
    expect(await labelsOf(source)).toEqual([]);
  });
});

describe('better-sqlite3, a file that another process writes to', () => {
  const source = useSqlite('better-sqlite3', { wal: true });
  const insert = (label: string): Promise<unknown> =>
    source.dataSource.getRepository(Entry).insert({ label });

  test.each([
    ['SQLITE_BUSY', 'a statement that finds it locked', false],
    ['SQLITE_BUSY_SNAPSHOT', 'a write after a read, when another has written meanwhile', true],
  ])('%s: %s runs the whole method again', async (code, _, readsFirst) => {
    let attempts = 0;
    const errors: unknown[] = [];
    const { other, dataSource } = source;
    await runInTransaction(
      async () => {
        attempts += 1;
        if (readsFirst) await dataSource.query('SELECT count(*) FROM entry');
        if (attempts === 1) other!.exec("BEGIN IMMEDIATE; INSERT INTO entry (label) VALUES ('of the other')");
        if (attempts === 1 && readsFirst) other!.exec('COMMIT');
        await insert('ours').catch((error: { driverError?: { code?: unknown } }) => {
          errors.push(error.driverError?.code);
          if (other!.inTransaction) other!.exec('COMMIT');
          throw error;
        });
      },
      { retry: { backoffMs: 1 } },
    );
    expect(attempts).toBe(2);
    expect(errors).toEqual([code]);
    expect(await labelsOf(source)).toEqual(['of the other', 'ours']);
  });
});

describe('better-sqlite3, a file that another process reads', () => {
  const source = useSqlite('better-sqlite3');

  test('a COMMIT that finds it locked rolls back, and the whole method is run again', async () => {
    const { other, dataSource } = source;
    let attempts = 0;
    await runInTransaction(
      async () => {
        attempts += 1;
        if (attempts === 2) other!.exec('COMMIT');
        await dataSource.getRepository(Entry).insert({ label: `attempt ${attempts}` });
        if (attempts === 1) other!.exec('BEGIN; SELECT count(*) FROM entry');
      },
      { retry: { backoffMs: 1 } },
    );
    expect(attempts).toBe(2);
    expect(await labelsOf(source)).toEqual(['attempt 2']);
  });
});

describe('sql.js', () => {
  const source = useSqlite('sqljs');

  test('an export, which would end the transaction, is refused inside of it', async () => {
    const { sqljsManager } = source.dataSource;
    await runInTransaction(async () => {
      await source.dataSource.getRepository(Entry).insert({ label: 'kept' });
      expect(() => sqljsManager.exportDatabase()).toThrow(TransactionControlError);
    });
    expect(sqljsManager.exportDatabase().length).toBeGreaterThan(0);
    expect(await labelsOf(source)).toEqual(['kept']);
  });

  test('autoSave, which exports after each statement, is refused by name', async () => {
    const dataSource = new DataSource({
      type: 'sqljs',
      autoSave: true,
      autoSaveCallback: () => undefined,
      entities: [Entry],
    });
    await dataSource.initialize();
    expect(() => manageDataSource(dataSource, { name: 'saving' })).toThrow(/autoSave/);
    await dataSource.destroy();
  });
});
