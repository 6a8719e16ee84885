import type * as Holdfast from 'holdfast';
import type * as HoldfastTypeorm from 'holdfast/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { type Connect, type OpenVariant, openVariant, type RunInTransaction } from './open-variant.js';
import { typeormWork } from './workload.js';

/** A DataSource on PostgreSQL or, where the URL says so, on MySQL. */
async function openDataSource({ url, poolSize }: Connect): Promise<DataSource> {
  await import('reflect-metadata');
  const { DataSource } = await import('typeorm');
  const { AccountEntity, EventEntity } = await import('./workload.js');
  const common = { url, poolSize, entities: [AccountEntity, EventEntity] };
  const dataSource = new DataSource(
    url.startsWith('mysql:')
      ? { ...common, type: 'mysql' }
      : { ...common, type: 'postgres', extra: { idleTimeoutMillis: 0 } },
  );
  return dataSource.initialize();
}

export async function openQueryRunner(connect: Connect): Promise<OpenVariant> {
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
  return openVariant(typeormWork, byHand, () => dataSource.destroy());
}

export async function openDataSourceTransaction(connect: Connect): Promise<OpenVariant> {
  const dataSource = await openDataSource(connect);
  return openVariant<EntityManager>(
    typeormWork,
    (work) => dataSource.transaction(work),
    () => dataSource.destroy(),
  );
}

export async function openTypeormTransactional(
  connect: Connect,
  storage: 'CLS_HOOKED' | 'ASYNC_LOCAL_STORAGE',
): Promise<OpenVariant> {
  const { addTransactionalDataSource, initializeTransactionalContext, runInTransaction, StorageDriver } =
    await import('typeorm-transactional');
  initializeTransactionalContext({ storageDriver: StorageDriver[storage] });
  const dataSource = await openDataSource(connect);
  addTransactionalDataSource(dataSource);
  return openVariant<EntityManager>(
    typeormWork,
    (work) => runInTransaction(() => work(dataSource.manager)),
    () => dataSource.destroy(),
  );
}

export async function openNestjsCls(connect: Connect): Promise<OpenVariant> {
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
  return openVariant<EntityManager>(
    typeormWork,
    (work) => host.withTransaction(() => work(host.tx)),
    async () => {
      await app.close();
      await dataSource.destroy();
    },
  );
}

export async function openTypeormOurs(connect: Connect, library: string): Promise<OpenVariant> {
  const { runInTransaction } = (await import(library)) as typeof Holdfast;
  const { manageDataSource } = (await import(`${library}/typeorm`)) as typeof HoldfastTypeorm;
  const dataSource = await openDataSource(connect);
  manageDataSource(dataSource);
  return openVariant<EntityManager>(
    typeormWork,
    (work) => runInTransaction(() => work(dataSource.manager)),
    () => dataSource.destroy(),
  );
}
