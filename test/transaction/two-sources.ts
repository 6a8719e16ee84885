import type { Pool } from 'pg';
import {
  afterCommit,
  afterCompletion,
  afterRollback,
  managePool,
  runInTransaction,
  unmanagePool,
} from 'holdfast';
import type { TransactionOptions } from 'holdfast';
import { DataSource } from 'typeorm';
import { manageDataSource } from 'holdfast/typeorm';
import type { FaultProxy } from '../harness/fault-proxy.js';
import { type TestDatabase, useDatabase } from '../harness/database.js';

export type SourceName = 'orders' | 'audit';
export const NAMES = ['orders', 'audit'] as const;

export interface OneSource {
  readonly proxy: FaultProxy;
  query(sql: string, params?: unknown[]): Promise<unknown>;
  /** Ends the pool, as a shutdown does. */
  end(): Promise<void>;
}
export type Sources = Readonly<Record<SourceName, OneSource>>;

/** A way in: how both data sources are managed and asked. */
export interface Access {
  readonly name: string;
  open(db: TestDatabase, name: SourceName, url: string): Promise<Omit<OneSource, 'proxy'>>;
}

export const accesses: readonly Access[] = [
  {
    name: 'raw pg',
    async open(db, name, url) {
      const pool: Pool = db.pool({ max: 3, connectionString: url });
      const managed = managePool(pool, { name });
      db.defer(() => unmanagePool(managed));
      return { query: (sql, params) => pool.query(sql, params), end: () => pool.end() };
    },
  },
  {
    name: 'TypeORM',
    async open(db, name, url) {
      const dataSource = await new DataSource({ type: 'postgres', url, poolSize: 3 }).initialize();
      manageDataSource(dataSource, { name, shutdownTimeoutMs: 50 });
      db.defer(() => (dataSource.isInitialized ? dataSource.destroy() : undefined));
      return { query: (sql, params) => dataSource.query(sql, params), end: () => dataSource.destroy() };
    },
  },
];

/** Two databases, each behind a fault proxy of its own, managed as `orders` and `audit`. To be called at the top of a file. */
export function useTwoSources(): {
  open(access: Access): Promise<Sources>;
  committed(): Promise<Record<SourceName, string[]>>;
} {
  const databases = { orders: useDatabase(), audit: useDatabase() };
  const labels = async (db: TestDatabase): Promise<string[]> =>
    (await db.query<{ label: string }>('SELECT label FROM entry ORDER BY id')).map(({ label }) => label);
  const open = async (name: SourceName, access: Access): Promise<OneSource> => {
    const db = databases[name];
    await db.truncate();
    const proxy = await db.proxy();
    return { proxy, ...(await access.open(db, name, proxy.url(db.url))) };
  };
  return {
    open: async (access) => ({ orders: await open('orders', access), audit: await open('audit', access) }),
    committed: async () => ({ orders: await labels(databases.orders), audit: await labels(databases.audit) }),
  };
}

export const insert = (source: OneSource, label: string): Promise<unknown> =>
  source.query('INSERT INTO entry (label) VALUES ($1)', [label]);

/** A row that its foreign key refuses at COMMIT, and not before. */
export const insertOrphan = (source: OneSource): Promise<unknown> =>
  source.query('INSERT INTO child (id, parent_id) VALUES (1, 99)');

export const onBoth = <T>(
  work: () => Promise<T>,
  options: Omit<TransactionOptions, 'dataSource'> = {},
): Promise<T> => runInTransaction(work, { name: 'Shop.book', ...options, dataSource: NAMES });

/** Registers a hook of each kind with the transaction on `name`, and writes down which of them run. */
export const listen = (name: SourceName, told: string[]): Promise<void> =>
  runInTransaction(
    async () => {
      afterCommit(() => told.push(`${name}: after commit`));
      afterRollback(() => told.push(`${name}: after rollback`));
      afterCompletion((completion) => told.push(`${name}: ${completion}`));
    },
    { dataSource: name, propagation: 'MANDATORY' },
  );

export const caught = (call: Promise<unknown>): Promise<Error> =>
  call.then(
    () => {
      throw new Error('it was expected to reject');
    },
    (error: unknown) => error as Error,
  );
