import 'reflect-metadata';
import {
  runInTransaction,
  SelfDeadlockError,
  TransactionClosedError,
  TransactionControlError,
} from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { DataSource, QueryFailedError, type QueryRunner } from 'typeorm';
import { Entry, failureOf } from '../conformance/ways-in.js';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
let dataSource: DataSource;
beforeEach(async () => {
  await db.truncate();
  dataSource = new DataSource({ type: 'postgres', url: db.url, entities: [Entry], poolSize: 1 });
  await dataSource.initialize();
  db.defer(() => dataSource.destroy());
  manageDataSource(dataSource);
});

type Use = (runner: QueryRunner) => Promise<unknown>;
const uses: readonly (readonly [name: string, use: Use])[] = [
  ['query()', (runner) => runner.query('SELECT 1')],
  ['manager.insert()', (runner) => runner.manager.insert(Entry, { label: 'late' })],
];

describe.each([
  ['before the transaction, and first used inside it', false],
  ['inside the transaction', true],
])('a QueryRunner that is made %s', (_, inside) => {
  let early: QueryRunner;
  beforeEach(() => (early = dataSource.createQueryRunner()));
  afterEach(() => early.release());
  const runner = (): QueryRunner => (inside ? dataSource.createQueryRunner() : early);

  test('COMMIT without a BEGIN: TransactionControlError as it is', async () => {
    const told = runInTransaction(() => runner().query('COMMIT'));
    expect(await failureOf(told)).toBeInstanceOf(TransactionControlError);
  });

  test.each(uses)('%s after the transaction: TransactionClosedError as it is', async (__, use) => {
    const kept = await runInTransaction(async () => {
      const made = runner();
      await made.query('SELECT 1');
      return { made };
    });
    expect(await failureOf(use(kept.made))).toBeInstanceOf(TransactionClosedError);
  });

  test("the database's own refusal stays TypeORM's QueryFailedError", async () => {
    const told = runInTransaction(() => runner().query('SELECT 1/0'));
    expect(await failureOf(told)).toBeInstanceOf(QueryFailedError);
    expect(await failureOf(told)).toMatchObject({ driverError: { code: '22012' } });
  });
});

test.each(uses)(
  'a self-deadlock through a QueryRunner made outside, %s: SelfDeadlockError as it is',
  async (_, use) => {
    const runner = dataSource.createQueryRunner();
    const told = runInTransaction(async () => {
      await dataSource.query('SELECT 1');
      await runInTransaction(() => use(runner), { propagation: 'NOT_SUPPORTED' });
    });
    expect(await failureOf(told)).toBeInstanceOf(SelfDeadlockError);
    await runner.release();
  },
);
