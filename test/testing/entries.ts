import { managePool, type ManagePoolOptions, unmanagePool } from 'holdfast';
import type { Pool, PoolConfig } from 'pg';
import type { TestDatabase } from '../harness/database.js';

/** A managed pool, and what the tests write and read through it. */
export class Entries {
  constructor(readonly pool: Pool) {}

  async add(label: string): Promise<void> {
    await this.pool.query('INSERT INTO entry (label) VALUES ($1)', [label]);
  }

  async list(): Promise<string[]> {
    const { rows } = await this.pool.query<{ label: string }>('SELECT label FROM entry ORDER BY id');
    return rows.map(({ label }) => label);
  }
}

export function entriesOn(
  db: TestDatabase,
  { config = {}, ...options }: ManagePoolOptions & { readonly config?: PoolConfig } = {},
): Entries {
  const pool = db.pool({ max: 4, ...config });
  const managed = managePool(pool, options);
  db.defer(() => unmanagePool(managed));
  return new Entries(pool);
}

/** What is there for everybody. */
export async function committed(db: TestDatabase): Promise<string[]> {
  const rows = await db.query<{ label: string }>('SELECT label FROM entry ORDER BY id');
  return rows.map(({ label }) => label);
}
