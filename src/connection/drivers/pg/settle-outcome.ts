import { type Clock, delay } from '../../../core/index.js';
import { runInFrame } from '../../context.js';
import type { SettledOutcome } from '../../session.js';
import type { PgClient, PgPool } from './pg-types.js';

const ATTEMPTS = 10;
const PAUSE_MS = 100;
const LIMIT_MS = 5000;

/**
 * Asks the server what became of a transaction, over connections outside the pool: at the moment that a pool's
 * connections break, the line in front of it is longer than a caller can wait. Never rejects.
 */
export async function settleOutcome(
  pool: PgPool,
  clock: Clock,
  transactionId: string,
): Promise<SettledOutcome> {
  let client: PgClient | undefined;
  let over = false;
  const limit = clock.setTimer(() => {
    over = true;
    client?.connection.stream.destroy();
  }, LIMIT_MS);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await delay(clock, PAUSE_MS);
    if (over) break;
    client = runInFrame(undefined, () => new pool.Client(pool.options));
    const status = await askStatus(client, transactionId);
    // Else the server is away, still runs the COMMIT, or has not noticed yet that its client is gone.
    if (status !== undefined && status !== 'in progress') {
      limit.clear();
      return status === 'committed' || status === 'aborted' ? status : 'unknown';
    }
  }
  limit.clear();
  return 'unknown';
}

/** `null`: the server no longer remembers the transaction. `undefined`: there was no answer. */
async function askStatus(client: PgClient, transactionId: string): Promise<string | null | undefined> {
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = (await client.query('SELECT pg_xact_status($1::text::xid8) AS status', [
      transactionId,
    ])) as { rows: { status: string | null }[] };
    return rows[0]?.status;
  } catch {
    return undefined;
  } finally {
    void client.end().catch(() => {});
  }
}
