import type * as Holdfast from 'holdfast';
import { type Connect, type OpenVariant, openVariant, type RunInTransaction } from './open-variant.js';
import { type Queryable, rawWork } from './workload.js';

export async function openPool({ url, poolSize }: Connect) {
  const { Pool } = await import('pg');
  return new Pool({ connectionString: url, max: poolSize, idleTimeoutMillis: 0 });
}

/** `connection` is a client, or a pool of one. */
export async function byHand(
  connection: { query(text: string): Promise<unknown> },
  work: () => Promise<void>,
): Promise<void> {
  try {
    await connection.query('BEGIN');
    await work();
    await connection.query('COMMIT');
  } catch (error) {
    await connection.query('ROLLBACK');
    throw error;
  }
}

export async function openRawByHand(connect: Connect): Promise<OpenVariant> {
  const pool = await openPool(connect);
  const onClient: RunInTransaction<Queryable> = async (work) => {
    const client = await pool.connect();
    try {
      await byHand(client, () => work(client));
    } finally {
      client.release();
    }
  };
  return openVariant(rawWork, onClient, () => pool.end());
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
