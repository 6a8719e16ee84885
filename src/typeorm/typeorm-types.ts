/**
 * The parts of TypeORM that its own types keep to themselves. Read in TypeORM 0.3.28 and 1.1.1.
 */
import type { DataSource, Driver, EntityManager, QueryRunner, ReplicationMode } from 'typeorm';
import type { ManageablePool, SqliteDatabase } from '../connection/index.js';

/** `dataSource.driver` of PostgreSQL. */
export interface PostgresDriverLike {
  readonly master?: ManageablePool;
  readonly slaves?: readonly ManageablePool[];
}

/** `dataSource.driver` of MySQL and MariaDB: a pool, or with replication a cluster of them. */
export interface MysqlDriverLike {
  readonly pool?: ManageablePool;
  readonly poolCluster?: { readonly _nodes: Readonly<Record<string, { readonly pool: ManageablePool }>> };
}

/** `dataSource.driver` of SQLite: one connection. */
export interface SqliteDriverLike {
  readonly databaseConnection: SqliteDatabase;
}

/** Every QueryRunner of TypeORM extends BaseQueryRunner, which has these. */
export type QueryRunnerInternals = QueryRunner & {
  isReleased: boolean;
  isTransactionActive: boolean;
  transactionDepth: number;
  readonly data: object;
  readonly broadcaster: { broadcast(event: TransactionEvent): Promise<void> };
};

/** A driver's QueryRunner class, with the members that a subclass overrides. `manager` is set from outside. */
export type QueryRunnerConstructor = new (
  driver: Driver,
  mode: ReplicationMode,
) => {
  isReleased: boolean;
  isTransactionActive: boolean;
  transactionDepth: number;
  connect(): Promise<object>;
  query(...args: unknown[]): Promise<unknown>;
  startTransaction(isolationLevel?: string): Promise<void>;
  commitTransaction(): Promise<void>;
  rollbackTransaction(): Promise<void>;
  release(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

export type TransactionEvent = `${'Before' | 'After'}Transaction${'Start' | 'Commit' | 'Rollback'}`;

/** The methods of a DataSource that are replaced on the instance. */
export type DataSourceMethods = Pick<
  DataSource,
  'createEntityManager' | 'createQueryRunner' | 'destroy' | 'initialize'
>;

export type TransactionMethod = EntityManager['transaction'];
