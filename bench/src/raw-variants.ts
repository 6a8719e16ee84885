import type * as Holdfast from 'holdfast';
import { type Connect, type OpenVariant, openVariant, type RunInTransaction } from './open-variant.js';
import { type Queryable, rawWork } from './workload.js';

export async function openPool({ url, poolSize }: Connect) {
  const { Pool } = await import('pg');
  return new Pool({ connectionString: url, max: poolSize, idleTimeoutMillis: 0 });
}

export async function openRawByHand(connect: Connect): Promise<OpenVariant> {
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
  return openVariant(rawWork, byHand, () => pool.end());
}

export async function openRawOurs(connect: Connect, library: string): Promise<OpenVariant> {
  const { managePool, runInTransaction } = (await import(library)) as typeof Holdfast;
  const pool = await openPool(connect);
  managePool(pool);
  return openVariant<Queryable>(
    rawWork,
    (work) => runInTransaction(() => work(pool)),
    () => pool.end(),
  );
}
