import 'reflect-metadata';
import { runInTransaction } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import {
  DataSource,
  EntitySchema,
  type EntitySubscriberInterface,
  type InsertEvent,
  type QueryRunner,
} from 'typeorm';
import { until } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';

interface Entry {
  id: number;
  label: string;
}
const EntryEntity = new EntitySchema<Entry>({
  name: 'entry',
  columns: { id: { type: 'int', primary: true, generated: true }, label: { type: 'text' } },
});

const db = useDatabase();
let dataSource: DataSource;

beforeEach(async () => {
  dataSource = await new DataSource({
    type: 'postgres',
    url: db.url,
    poolSize: 2,
    entities: [EntryEntity],
  }).initialize();
  manageDataSource(dataSource);
});
afterEach(async () => {
  await dataSource.destroy();
  await db.truncate();
});

/** Records, for each row that is inserted, the data that its event carries. */
function recordData(): string[] {
  const seen: string[] = [];
  dataSource.subscribers.push({
    afterInsert({ entity, queryRunner, manager }: InsertEvent<Entry>) {
      const same = manager.queryRunner === queryRunner ? '' : ' (its manager has another QueryRunner)';
      seen.push(`${entity.label}: ${JSON.stringify(queryRunner.data)}${same}`);
    },
  });
  return seen;
}

describe("the data of a subscriber's event inside a transaction is that of its own call:", () => {
  test('save(entity, { data })', async () => {
    const seen = recordData();
    await runInTransaction(async () => {
      const repository = dataSource.getRepository(EntryEntity);
      await Promise.all([
        repository.save({ label: 'a' }, { data: { by: 'ada' } }),
        repository.save({ label: 'b' }, { data: { by: 'bob' } }),
      ]);
      await repository.save({ label: 'c' });
    });
    expect(seen.sort()).toEqual(['a: {"by":"ada"}', 'b: {"by":"bob"}', 'c: {}']);
  });

  test('queryRunner.data', async () => {
    const seen = recordData();
    await runInTransaction(async () => {
      const runner = dataSource.createQueryRunner();
      runner.data = { by: 'carla' };
      await runner.manager.save(EntryEntity, { label: 'a' });
      await runner.release();
      await dataSource.manager.save(EntryEntity, { label: 'b' });
    });
    expect(seen).toEqual(['a: {"by":"carla"}', 'b: {}']);
  });
});

test('a subscriber is given a QueryRunner that knows whether its transaction is still active', async () => {
  const seen: string[] = [];
  const record =
    (event: string) =>
    ({ queryRunner }: { queryRunner: QueryRunner }): void =>
      void seen.push(`${event}: ${queryRunner.isTransactionActive ? 'active' : 'over'}`);
  dataSource.subscribers.push({
    beforeTransactionCommit: record('before commit'),
    afterTransactionCommit: record('after commit'),
    beforeTransactionRollback: record('before rollback'),
    afterTransactionRollback: record('after rollback'),
  } as EntitySubscriberInterface);
  await runInTransaction(() => dataSource.query('SELECT 1'));
  const failing = runInTransaction(async () => {
    await dataSource.query('SELECT 1');
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(seen).toEqual([
    'before commit: active',
    'after commit: over',
    'before rollback: active',
    'after rollback: over',
  ]);
});

test('a subscriber that is added while a transaction runs hears of its end', async () => {
  const seen: string[] = [];
  await runInTransaction(async () => {
    await dataSource.query('SELECT 1');
    dataSource.subscribers.push({
      beforeTransactionCommit: () => void seen.push('before commit'),
      afterTransactionCommit: () => void seen.push('after commit'),
    } as EntitySubscriberInterface);
  });
  expect(seen).toEqual(['before commit', 'after commit']);
});

test('the QueryRunner that a subscriber was given learns of the end, also where the subscriber is gone', async () => {
  let given: QueryRunner | undefined;
  dataSource.subscribers.push({
    afterTransactionStart: ({ queryRunner }) => void (given = queryRunner),
  } as EntitySubscriberInterface);
  await runInTransaction(async () => {
    await dataSource.query('SELECT 1');
    dataSource.subscribers.length = 0;
    expect(given!.isTransactionActive).toBe(true);
  });
  expect(given!.isTransactionActive).toBe(false);
});

test.each(['beforeTransactionRollback', 'afterTransactionRollback'])(
  'a subscriber of %s that never settles keeps neither the connection nor the caller',
  async (event) => {
    dataSource.subscribers.push({ [event]: () => new Promise(() => {}) } as EntitySubscriberInterface);
    const call = runInTransaction(
      async () => {
        await dataSource.query("INSERT INTO entry (label) VALUES ('a')");
        await dataSource.query('SELECT pg_sleep(60)');
      },
      { timeoutMs: 100 },
    );
    await expect(call).rejects.toMatchObject({ code: 'TRANSACTION_TIMEOUT' });
    dataSource.subscribers.length = 0;
    await until('the end of the transaction on the server', async () => {
      const open = await db.query(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'",
      );
      return open.length === 0;
    });
    expect(await db.query('SELECT label FROM entry')).toEqual([]);
  },
);
