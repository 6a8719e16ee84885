import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { Client } from 'pg';
import { startMariadb } from '../../../test/harness/mariadb.js';
import { startPostgres } from '../../../test/harness/postgres.js';
import type { DatabaseKind } from './programs.js';

/** A private server that makes empty databases. */
export interface BenchServer {
  version(): Promise<string>;
  /** Makes an empty database. Resolves to its url. */
  create(name: string): Promise<string>;
  count(url: string, table: string): Promise<number>;
  drop(name: string): Promise<void>;
  stop(): Promise<void>;
}

export function startServer(kind: DatabaseKind): Promise<BenchServer> {
  return kind === 'postgres' ? startPostgresServer() : startMariadbServer();
}

async function startPostgresServer(): Promise<BenchServer> {
  const server = await startPostgres({ settings: { shared_buffers: '256MB', max_wal_size: '8GB' } });
  const admin = new Client(server.url);
  await admin.connect();
  // The tests' server hashes with one iteration, which Go's driver refuses.
  await admin.query('SET scram_iterations = 4096');
  await admin.query(`ALTER ROLE CURRENT_USER PASSWORD '${new URL(server.url).password}'`);
  const ask = async <T>(url: string, text: string): Promise<T> => {
    const client = new Client(url);
    await client.connect();
    const { rows } = await client.query<{ value: T }>(text);
    await client.end();
    return rows[0]!.value;
  };
  return {
    version: async () =>
      `PostgreSQL ${await ask<string>(server.url, "SELECT current_setting('server_version') AS value")}`,
    async create(name) {
      await admin.query(`CREATE DATABASE ${name}`);
      const url = new URL(server.url);
      url.pathname = name;
      return url.href;
    },
    count: (url, table) => ask<number>(url, `SELECT count(*)::int AS value FROM ${table}`),
    drop: async (name) => void (await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)),
    async stop() {
      await admin.end();
      await server.stop();
    },
  };
}

async function startMariadbServer(): Promise<BenchServer> {
  const server = await startMariadb();
  const admin = await createConnection(server.url);
  await admin.query('SET GLOBAL innodb_buffer_pool_size = 256 * 1024 * 1024');
  await admin.query('SET GLOBAL innodb_log_file_size = 512 * 1024 * 1024');
  const ask = async <T>(text: string): Promise<T> => {
    const [rows] = await admin.query<RowDataPacket[]>(text);
    return rows[0]!['value'] as T;
  };
  return {
    version: async () => `MariaDB ${await ask<string>('SELECT version() AS value')}`,
    async create(name) {
      await admin.query(`CREATE DATABASE ${name}`);
      return `${server.url}/${name}`;
    },
    count: (url, table) =>
      ask<number>(`SELECT count(*) AS value FROM ${new URL(url).pathname.slice(1)}.${table}`),
    drop: async (name) => void (await admin.query(`DROP DATABASE ${name}`)),
    async stop() {
      await admin.end();
      await server.stop();
    },
  };
}
