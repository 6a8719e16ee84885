import { once } from 'node:events';
import type { Pool, PoolClient, PoolConfig, QueryResult } from 'pg';
import { managePool, unmanagePool } from 'holdfast';
import type { TestDatabase } from '../harness/database.js';

/** A kind of pool that the contract is run on. */
export interface PoolRow {
  readonly row: string;
  readonly managed: boolean;
  /** Whether somebody listens to lease events: the pool then makes a lease for each `query()` as well. */
  readonly observed: boolean;
}

/** What pg-pool's users rely on holds for a pool of each row. */
export const poolRows: readonly PoolRow[] = [
  { row: 'plain', managed: false, observed: false },
  { row: 'managed', managed: true, observed: false },
  { row: 'managed and observed', managed: true, observed: true },
];

export type MakePool = (options?: PoolConfig) => Pool;

let names = 0;

/** Makes pools of the row, on the test's database. */
export function poolMaker(db: TestDatabase, row: PoolRow): MakePool {
  return (options) => prepare(db, db.pool(options), row);
}

/** Puts a pool that the test made itself into the row. */
export function prepare<P extends Pool>(db: TestDatabase, pool: P, { managed, observed }: PoolRow): P {
  if (!managed) return pool;
  const handle = managePool(pool, { name: `contract ${++names}` });
  if (observed) handle.observe({});
  db.defer(() => unmanagePool(handle));
  return pool;
}

export function pidOf(client: PoolClient): number {
  return (client as unknown as { processID: number }).processID;
}

export function nextEvent<T extends unknown[]>(pool: Pool, event: string): Promise<T> {
  return once(pool, event) as Promise<T>;
}

/** Ends what the server runs for this client, as an administrator would. */
export async function terminate(db: TestDatabase, pid: number): Promise<void> {
  await db.query('SELECT pg_terminate_backend($1)', [pid]);
}

/** The arguments of a callback that is called once. */
export function called<T extends unknown[]>(start: (callback: (...args: T) => void) => unknown): Promise<T> {
  return new Promise((resolve) => void start((...args) => resolve(args)));
}

export function rowsOf(result: QueryResult): unknown[] {
  return result.rows as unknown[];
}

/** Resolves when `condition` holds; looks again after each turn of the event loop. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}
