import type { Pool, PoolConfig } from 'pg';
import { type ManagedPool, managePool, unmanagePool } from 'holdfast';
import { expectNoOpenTransactions } from 'holdfast/testing';
import { type TestDatabase, useDatabase } from '../harness/database.js';

/** A file's database with one managed pool, made anew for each test, and its table `entry`. */
export class Entries {
  pool!: Pool;
  managed!: ManagedPool;

  constructor(readonly db: TestDatabase) {}

  /** Adds a row through the managed pool: in the transaction around the call, where there is one. */
  readonly add = async (label: string): Promise<void> => {
    await this.pool.query('INSERT INTO entry (label) VALUES ($1)', [label]);
  };

  /** What an observer outside of every transaction sees, in the order of insertion. */
  readonly committed = async (): Promise<string[]> => {
    const rows = await this.db.query<{ label: string }>('SELECT label FROM entry ORDER BY id');
    return rows.map(({ label }) => label);
  };

  /** The transaction that a statement of the managed pool runs in. */
  readonly transactionId = async (): Promise<string> => {
    const { rows } = await this.pool.query<{ id: string }>('SELECT pg_current_xact_id()::text AS id');
    return rows[0]!.id;
  };

  /** One setting of the session, as a statement of the managed pool sees it. */
  readonly setting = async (name: string): Promise<string> => {
    const { rows } = await this.pool.query<{ value: string }>('SELECT current_setting($1) AS value', [name]);
    return rows[0]!.value;
  };
}

export function useEntries(config: PoolConfig = {}): Entries {
  const entries = new Entries(useDatabase());
  beforeEach(() => {
    entries.pool = entries.db.pool({ max: 5, ...config });
    entries.managed = managePool(entries.pool);
  });
  afterEach(async () => {
    expectNoOpenTransactions();
    unmanagePool(entries.managed);
    await entries.db.truncate();
  });
  return entries;
}

/** Resolves once `condition` answers true; the test's own time limit ends a wait in vain. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** A promise and the function that resolves it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}
