import { runInTransaction } from 'holdfast';
import { useDatabase } from '../harness/database.js';
import { useLog } from '../transaction/log.js';
import { commit, rollback, start, subscribe } from './recording-subscriber.js';
import type { RecordingSubscriber } from './recording-subscriber.js';
import { Entry, everyWay, expectCleanPool, labelsIn, useWork } from './ways-in.js';

const db = useDatabase();
const log = useLog();
const typeormWays = everyWay.filter(({ way }) => way.orm === 'typeorm');

describe.each(typeormWays)("what TypeORM's subscribers hear: $name", ({ way, opening }) => {
  const work = useWork(db, way, { max: 2 });
  let subscriber: RecordingSubscriber;
  beforeEach(() => (subscriber = subscribe(work)));

  test('each event once for one real transaction, however many repositories, savepoints and runners it has', async () => {
    await opening.run(async () => {
      await work.insert('a');
      await opening.run(() => work.insert('joined'));
      await opening.run(() => work.insert('nested'), { propagation: 'NESTED' });
      await opening
        .run(
          async () => {
            await work.insert('undone');
            throw new Error('undo');
          },
          { propagation: 'NESTED' },
        )
        .catch(() => undefined);
      await work.dataSource!.transaction((manager) => manager.insert(Entry, { label: 'by callback' }));
      const runner = work.dataSource!.createQueryRunner();
      await runner.startTransaction();
      await runner.manager.save(Entry, { label: 'by hand' });
      await runner.commitTransaction();
      await runner.release();
      await work.dataSource!.getRepository(Entry).save([{ label: 'x' }, { label: 'y' }]);
    });

    expect(subscriber.heard).toEqual([...start, ...commit]);
    expect(subscriber.runners.size).toBe(1);
    expect(await labelsIn(db)).toEqual(['a', 'joined', 'nested', 'by callback', 'by hand', 'x', 'y']);
    await expectCleanPool(work.pool, db);
  });

  test('REQUIRES_NEW is a real transaction of its own, with events of its own and another runner', async () => {
    const outcome = opening.run(async () => {
      await work.insert('outer');
      await opening.run(() => work.insert('inner'), { propagation: 'REQUIRES_NEW' });
      subscriber.heard.push('inner is over');
      throw new Error('undo');
    });

    await expect(outcome).rejects.toThrow('undo');
    expect(subscriber.heard).toEqual([...start, ...start, ...commit, 'inner is over', ...rollback]);
    expect(subscriber.runners.size).toBe(2);
    expect(await labelsIn(db)).toEqual(['inner']);
  });

  test('a method without statements is no transaction to speak of', async () => {
    await opening.run(async () => undefined);
    expect(subscriber.heard).toEqual([]);
  });

  test('what the server undoes at COMMIT is heard as a rollback, never as a commit', async () => {
    const outcome = opening.run(() => work.query('INSERT INTO child (id, parent_id) VALUES (1, 99)'));

    await expect(outcome).rejects.toMatchObject({ code: '23503' });
    expect(subscriber.heard).toEqual([...start, 'beforeTransactionCommit', 'afterTransactionRollback']);
    await expectCleanPool(work.pool, db);
  });

  test.each([
    ['cut-before', ['beforeTransactionCommit', 'afterTransactionRollback']],
    ['cut-after', commit],
  ] as const)(
    'a COMMIT without an answer is heard as what it was settled to be: %s',
    async (action, heard) => {
      const proxy = await db.proxy();
      const other = await way.start(db, { url: proxy.url(db.url), name: 'other' });
      const witness = subscribe(other);
      proxy.once(/^COMMIT$/, { action });
      await opening.run(() => other.insert('a'), { dataSource: 'other' }).catch(() => undefined);

      expect(witness.heard).toEqual([...start, ...heard]);
      expect(await labelsIn(db)).toEqual(action === 'cut-after' ? ['a'] : []);
    },
  );

  test('event.queryRunner.data is one object within a transaction, and not that of the next', async () => {
    const seen: unknown[] = [];
    subscriber.react.afterTransactionStart = ({ queryRunner }) => (queryRunner.data = { request: 7 });
    subscriber.onInsert = ({ queryRunner }) => seen.push({ ...queryRunner.data });
    subscriber.react.beforeTransactionCommit = ({ queryRunner }) => seen.push({ ...queryRunner.data });
    await opening.run(async () => {
      await work.insert('one');
      await work.dataSource!.manager.save(Entry, { label: 'two' });
      await opening.run(() => work.insert('nested'), { propagation: 'NESTED' });
    });
    expect(seen).toEqual([{ request: 7 }, { request: 7 }, { request: 7 }, { request: 7 }]);

    seen.length = 0;
    subscriber.react.afterTransactionStart = () => undefined;
    await opening.run(() => work.insert('later'));
    expect(seen).toEqual([{}, {}]);
  });

  test('what a subscriber writes in beforeTransactionCommit is part of the transaction', async () => {
    let txid = '';
    const written: unknown[] = [];
    subscriber.react.beforeTransactionCommit = async ({ queryRunner }) => {
      await queryRunner.manager.insert(Entry, { label: 'audit by the runner' });
      await work.insert('audit by the application');
      written.push(await work.txid());
    };
    await opening.run(async () => {
      await work.insert('a');
      txid = await work.txid();
    });

    expect(written).toEqual([txid]);
    expect(await labelsIn(db)).toEqual(['a', 'audit by the runner', 'audit by the application']);
    await expectCleanPool(work.pool, db);
  });

  test('a statement that fails in beforeTransactionCommit undoes everything, also when the subscriber swallows it', async () => {
    subscriber.react.beforeTransactionCommit = async () => {
      await work.fail().catch(() => undefined);
    };
    const outcome = opening.run(() => work.insert('a'));

    await expect(outcome).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK', cause: expect.anything() });
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('what a subscriber sets at the start is in force for every statement, those of parallel branches too', async () => {
    subscriber.react.afterTransactionStart = async ({ queryRunner }) => {
      await queryRunner.query('SELECT 1');
      await queryRunner.query("SET LOCAL app.tenant = 'acme'");
    };
    const tenants = await opening.run(() =>
      Promise.all(
        [1, 2, 3].map(async () => {
          const [row] = await work.query<{ tenant: string }>(
            "SELECT current_setting('app.tenant', true) AS tenant",
          );
          return row!.tenant;
        }),
      ),
    );

    expect(tenants).toEqual(['acme', 'acme', 'acme']);
    expect(subscriber.heard).toEqual([...start, ...commit]);
  });

  test('after the commit the ended transaction takes no statement; the application works outside it', async () => {
    subscriber.react.afterTransactionCommit = async ({ queryRunner }) => {
      subscriber.react = {};
      await work.insert('after');
      await queryRunner.query("INSERT INTO entry (label) VALUES ('through the ended runner')");
    };
    await opening.run(() => work.insert('a'));

    expect(await labelsIn(db)).toEqual(['a', 'after']);
    expect(log.errors).toHaveLength(1);
    expect(log.errors[0]![0]).toMatchObject({ error: { code: 'TRANSACTION_CLOSED' } });
    await expectCleanPool(work.pool, db);
  });

  test('outside a transaction TypeORM broadcasts as it always did', async () => {
    await work.dataSource!.getRepository(Entry).save({ label: 'alone' });
    expect(subscriber.heard).toEqual([...start, ...commit]);
    await work.dataSource!.transaction(() => runInTransaction(() => work.insert('inside')));
    expect(await labelsIn(db)).toEqual(['alone', 'inside']);
  });
});
