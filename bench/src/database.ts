import { Client } from 'pg';
import { type RunningPostgres, startPostgres } from '../../test/harness/postgres.js';
import { ACCOUNTS, SCHEMA } from './workload.js';
import type { Worker } from './worker-handle.js';

/** What COMMIT waits for: nothing but the server's own work, or the disk as well. */
const DURABILITY = {
  memory: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
  disk: { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on' },
};

export interface BenchDatabase {
  readonly url: string;
  readonly admin: Client;
  stop(): Promise<void>;
}

/** A private PostgreSQL with the accounts of every writer. */
export async function startDatabase(options: { durable: boolean; writers: number }): Promise<BenchDatabase> {
  const server: RunningPostgres = await startPostgres({
    settings: {
      ...DURABILITY[options.durable ? 'disk' : 'memory'],
      max_connections: '300',
      shared_buffers: '256MB',
      max_wal_size: '8GB',
      checkpoint_timeout: '1h',
    },
  });
  const admin = new Client(server.url);
  await admin.connect();
  await admin.query(SCHEMA);
  await admin.query(
    `INSERT INTO account (id, writer) SELECT writer * ${ACCOUNTS} + n, writer
     FROM generate_series(0, ${options.writers - 1}) AS writer, generate_series(0, ${ACCOUNTS - 1}) AS n`,
  );
  await admin.query('VACUUM ANALYZE');
  return {
    url: server.url,
    admin,
    async stop() {
      await admin.end();
      await server.stop();
    },
  };
}

/** Empties the tables of what was written. */
export async function reset({ admin }: BenchDatabase): Promise<void> {
  await admin.query('TRUNCATE event');
  await admin.query('UPDATE account SET balance = 0');
  await admin.query('VACUUM ANALYZE account');
  await admin.query('CHECKPOINT');
}

/** Throws unless the database holds exactly what each variant says it committed. */
export async function checkWork({ admin }: BenchDatabase, workers: readonly Worker[]): Promise<number> {
  const { rows } = await admin.query<{ writer: number; events: number; balance: number }>(
    `SELECT writer, sum(balance)::int AS balance,
       (SELECT count(*)::int FROM event WHERE event.writer = account.writer) AS events
     FROM account GROUP BY writer`,
  );
  let total = 0;
  for (const { variant, writer, written } of workers) {
    const found = rows.find((row) => row.writer === writer);
    if (found?.events !== written || found.balance !== written) {
      throw new Error(
        `${variant} says that it committed ${written} INSERT + UPDATE; the database holds ${found?.events} and ${found?.balance}`,
      );
    }
    total += written;
  }
  return total;
}

/** Milliseconds of a `SELECT 1` on a connection of its own: the link's round trip, the server's part included. */
export async function measureRoundTrip(url: string): Promise<number[]> {
  const client = new Client(url);
  await client.connect();
  const times: number[] = [];
  for (let count = 0; count < 300; count++) {
    const from = performance.now();
    await client.query('SELECT 1');
    times.push(performance.now() - from);
  }
  await client.end();
  return times.slice(50);
}
