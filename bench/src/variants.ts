import { AsyncLocalStorage } from 'node:async_hooks';
import type * as Holdfast from 'holdfast';
import type * as HoldfastTypeorm from 'holdfast/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { openPrismaNestjsCls, openPrismaOurs, openPrismaTransaction } from './prisma-variants.js';
import { type Queryable, rawWork, type Scenario, type Target, typeormWork } from './workload.js';

/** One way to run a transaction, opened on one database. */
export interface OpenVariant {
  /** One transaction of the scenario. Rolled back by an error after its statements when `fail` is given. */
  run(scenario: Scenario, target: Target, fail?: Error): Promise<void>;
  /** A transaction without a statement, where the variant can be asked for one. */
  empty(): Promise<void>;
  close(): Promise<void>;
}

export interface Connect {
  readonly url: string;
  readonly poolSize: number;
}

export interface Variant {
  readonly title: string;
  /** The variant that its throughput is divided by. */
  readonly baseline: string;
  open(connect: Connect): Promise<OpenVariant>;
}

export type RunInTransaction<Db> = (work: (db: Db) => Promise<void>) => Promise<void>;

/** Each variant is opened in a process of its own: some of them change what the others stand on. */
export const VARIANTS: Readonly<Record<string, Variant>> = {
  'raw-by-hand': { title: 'raw pg by hand', baseline: 'raw-by-hand', open: openRawByHand },
  'raw-control': { title: 'raw pg by hand, once more', baseline: 'raw-by-hand', open: openRawByHand },
  'raw-in-als': {
    title: 'raw pg by hand, in an AsyncLocalStorage',
    baseline: 'raw-by-hand',
    open: (connect) => inAsyncLocalStorage(openRawByHand(connect)),
  },
  'raw-ours': { title: 'holdfast, raw pg', baseline: 'raw-by-hand', open: (c) => openRawOurs(c, 'holdfast') },
  'raw-before': {
    title: 'holdfast before, raw pg',
    baseline: 'raw-by-hand',
    open: (c) => openRawOurs(c, 'holdfast-before'),
  },
  'query-runner': { title: 'QueryRunner by hand', baseline: 'query-runner', open: openQueryRunner },
  'query-runner-in-als': {
    title: 'QueryRunner by hand, in an AsyncLocalStorage',
    baseline: 'query-runner',
    open: (connect) => inAsyncLocalStorage(openQueryRunner(connect)),
  },
  'data-source-transaction': {
    title: 'dataSource.transaction',
    baseline: 'query-runner',
    open: openDataSourceTransaction,
  },
  'typeorm-transactional-cls': {
    title: 'typeorm-transactional (default, cls-hooked)',
    baseline: 'query-runner',
    open: (c) => openTypeormTransactional(c, 'CLS_HOOKED'),
  },
  'typeorm-transactional-als': {
    title: 'typeorm-transactional (AsyncLocalStorage)',
    baseline: 'query-runner',
    open: (c) => openTypeormTransactional(c, 'ASYNC_LOCAL_STORAGE'),
  },
  'nestjs-cls': { title: 'nestjs-cls + TypeORM', baseline: 'query-runner', open: openNestjsCls },
  'typeorm-ours': {
    title: 'holdfast, TypeORM',
    baseline: 'query-runner',
    open: (c) => openTypeormOurs(c, 'holdfast'),
  },
  'typeorm-before': {
    title: 'holdfast before, TypeORM',
    baseline: 'query-runner',
    open: (c) => openTypeormOurs(c, 'holdfast-before'),
  },
  'prisma-transaction': {
    title: 'Prisma $transaction',
    baseline: 'prisma-transaction',
    open: openPrismaTransaction,
  },
  'prisma-nestjs-cls': {
    title: 'nestjs-cls + Prisma',
    baseline: 'prisma-transaction',
    open: openPrismaNestjsCls,
  },
  'prisma-ours': { title: 'holdfast, Prisma', baseline: 'prisma-transaction', open: openPrismaOurs },
};

export function variant<Db>(
  work: Readonly<Record<Scenario, (db: Db, target: Target) => Promise<void>>>,
  runInTransaction: RunInTransaction<Db>,
  close: () => Promise<void>,
): OpenVariant {
  return {
    close,
    empty: () => runInTransaction(async () => {}),
    run: (scenario, target, fail) =>
      runInTransaction(async (db) => {
        await work[scenario](db, target);
        if (fail) throw fail;
      }),
  };
}

/** What any way with an async context pays before it does anything: on Node 20 each promise carries the context along. */
async function inAsyncLocalStorage(opening: Promise<OpenVariant>): Promise<OpenVariant> {
  const opened = await opening;
  const storage = new AsyncLocalStorage<object>();
  return {
    run: (...args) => storage.run({}, () => opened.run(...args)),
    empty: () => storage.run({}, () => opened.empty()),
    close: () => opened.close(),
  };
}

export async function openPool({ url, poolSize }: Connect) {
  const { Pool } = await import('pg');
  return new Pool({ connectionString: url, max: poolSize, idleTimeoutMillis: 0 });
}

async function openRawByHand(connect: Connect): Promise<OpenVariant> {
  const pool = await openPool(connect);
  const byHand: RunInTransaction<Queryable> = async (work) => {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await work(client);
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  };
  return variant(rawWork, byHand, () => pool.end());
}

async function openRawOurs(connect: Connect, library: string): Promise<OpenVariant> {
  const { managePool, runInTransaction } = (await import(library)) as typeof Holdfast;
  const pool = await openPool(connect);
  managePool(pool);
  return variant<Queryable>(
    rawWork,
    (work) => runInTransaction(() => work(pool)),
    () => pool.end(),
  );
}

async function openDataSource({ url, poolSize }: Connect): Promise<DataSource> {
  await import('reflect-metadata');
  const { DataSource } = await import('typeorm');
  const { AccountEntity, EventEntity } = await import('./workload.js');
  const extra = { idleTimeoutMillis: 0 };
  return new DataSource({
    type: 'postgres',
    url,
    poolSize,
    extra,
    entities: [AccountEntity, EventEntity],
  }).initialize();
}

async function openQueryRunner(connect: Connect): Promise<OpenVariant> {
  const dataSource = await openDataSource(connect);
  const byHand: RunInTransaction<EntityManager> = async (work) => {
    const queryRunner = dataSource.createQueryRunner();
    await queryRunner.connect();
    await queryRunner.startTransaction();
    try {
      await work(queryRunner.manager);
      await queryRunner.commitTransaction();
    } catch (error) {
      await queryRunner.rollbackTransaction();
      throw error;
    } finally {
      await queryRunner.release();
    }
  };
  return variant(typeormWork, byHand, () => dataSource.destroy());
}

async function openDataSourceTransaction(connect: Connect): Promise<OpenVariant> {
  const dataSource = await openDataSource(connect);
  return variant<EntityManager>(
    typeormWork,
    (work) => dataSource.transaction(work),
    () => dataSource.destroy(),
  );
}

async function openTypeormTransactional(
  connect: Connect,
  storage: 'CLS_HOOKED' | 'ASYNC_LOCAL_STORAGE',
): Promise<OpenVariant> {
  const { addTransactionalDataSource, initializeTransactionalContext, runInTransaction, StorageDriver } =
    await import('typeorm-transactional');
  initializeTransactionalContext({ storageDriver: StorageDriver[storage] });
  const dataSource = await openDataSource(connect);
  addTransactionalDataSource(dataSource);
  return variant<EntityManager>(
    typeormWork,
    (work) => runInTransaction(() => work(dataSource.manager)),
    () => dataSource.destroy(),
  );
}

async function openNestjsCls(connect: Connect): Promise<OpenVariant> {
  await import('reflect-metadata');
  const { Module } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { ClsModule } = await import('nestjs-cls');
  const { ClsPluginTransactional, TransactionHost } = await import('@nestjs-cls/transactional');
  const { TransactionalAdapterTypeOrm } = await import('@nestjs-cls/transactional-adapter-typeorm');
  const dataSource = await openDataSource(connect);
  const token = 'bench.data-source';

  @Module({ providers: [{ provide: token, useValue: dataSource }], exports: [token] })
  class DatabaseModule {}

  const adapter = new TransactionalAdapterTypeOrm({ dataSourceToken: token });
  const plugin = new ClsPluginTransactional({ imports: [DatabaseModule], adapter });

  @Module({ imports: [ClsModule.forRoot({ plugins: [plugin] })] })
  class AppModule {}

  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  const host = app.get<InstanceType<typeof TransactionHost<typeof adapter>>>(TransactionHost);
  return variant<EntityManager>(
    typeormWork,
    (work) => host.withTransaction(() => work(host.tx)),
    async () => {
      await app.close();
      await dataSource.destroy();
    },
  );
}

async function openTypeormOurs(connect: Connect, library: string): Promise<OpenVariant> {
  const { runInTransaction } = (await import(library)) as typeof Holdfast;
  const { manageDataSource } = (await import(`${library}/typeorm`)) as typeof HoldfastTypeorm;
  const dataSource = await openDataSource(connect);
  manageDataSource(dataSource);
  return variant<EntityManager>(
    typeormWork,
    (work) => runInTransaction(() => work(dataSource.manager)),
    () => dataSource.destroy(),
  );
}
