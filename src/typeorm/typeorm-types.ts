/**
 * The parts of TypeORM that its own types keep to themselves. Read in TypeORM 0.3.28 and 1.1.1.
 */
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import type { ManageablePool } from '../connection/index.js';

/** `dataSource.driver` of PostgreSQL. */
export interface PostgresDriverLike {
  readonly master?: ManageablePool;
  readonly slaves?: readonly ManageablePool[];
}

/** Every QueryRunner of TypeORM extends BaseQueryRunner, which has these. */
export type QueryRunnerInternals = QueryRunner & {
  isReleased: boolean;
  isTransactionActive: boolean;
  transactionDepth: number;
  readonly broadcaster: { broadcast(event: TransactionEvent): Promise<void> };
};

/** `QueryRunner.query` as a value. */
export type QueryFunction = (this: QueryRunner, ...args: unknown[]) => Promise<unknown>;

export type TransactionEvent = `${'Before' | 'After'}Transaction${'Start' | 'Commit' | 'Rollback'}`;

/** The methods of a DataSource that are replaced on the instance. */
export type DataSourceMethods = Pick<
  DataSource,
  'createEntityManager' | 'createQueryRunner' | 'destroy' | 'initialize'
>;

export type TransactionMethod = EntityManager['transaction'];
