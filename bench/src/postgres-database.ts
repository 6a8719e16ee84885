import { Client } from 'pg';
import { startPostgres } from '../../test/harness/postgres.js';
import type { BenchDatabase, DatabaseOptions, Written } from './database.js';
import { ACCOUNTS } from './workload.js';

/** What COMMIT waits for: nothing but the server's own work, or the disk as well. */
const DURABILITY = {
  memory: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
  disk: { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on' },
};

const SCHEMA = `
  CREATE TABLE account (
    id integer PRIMARY KEY, writer integer NOT NULL, balance integer NOT NULL DEFAULT 0
  ) WITH (fillfactor = 40, autovacuum_enabled = false);
  CREATE TABLE event (
    id bigserial PRIMARY KEY, writer integer NOT NULL, amount integer NOT NULL
  ) WITH (autovacuum_enabled = false);
`;

/** Starts a private PostgreSQL. */
export async function openPostgres({ durable, writers }: DatabaseOptions): Promise<BenchDatabase> {
  const server = await startPostgres({
    settings: {
      ...DURABILITY[durable ? 'disk' : 'memory'],
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
     FROM generate_series(0, ${writers - 1}) AS writer, generate_series(0, ${ACCOUNTS - 1}) AS n`,
  );
  await admin.query('VACUUM ANALYZE');
  return {
    url: server.url,
    async describe() {
      const { rows } = await admin.query<{ version: string; fsync: string; commit: string }>(
        `SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,
           current_setting('synchronous_commit') AS commit`,
      );
      const { version, fsync, commit } = rows[0]!;
      return `PostgreSQL ${version}, fsync ${fsync}, synchronous_commit ${commit}`;
    },
    async reset() {
      await admin.query('TRUNCATE event');
      await admin.query('UPDATE account SET balance = 0');
      await admin.query('VACUUM ANALYZE account');
      await admin.query('CHECKPOINT');
    },
    async written() {
      const { rows } = await admin.query<Written>(
        `SELECT writer, sum(balance)::int AS balance,
           (SELECT count(*)::int FROM event WHERE event.writer = account.writer) AS events
         FROM account GROUP BY writer`,
      );
      return rows;
    },
    async connect(url) {
      const client = new Client(url);
      await client.connect();
      return { ping: () => client.query('SELECT 1'), end: () => client.end() };
    },
    async stop() {
      await admin.end();
      await server.stop();
    },
  };
}
