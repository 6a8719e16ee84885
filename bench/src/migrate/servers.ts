import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { Client } from 'pg';
import { startMariadb } from '../../../test/harness/mariadb.js';
import { startPostgres } from '../../../test/harness/postgres.js';
import type { DatabaseKind } from './programs.js';

/** A private server that makes empty databases. */
export interface BenchServer {
  version(): Promise<string>;
  /**
   * Makes an empty database, which stays until the server stops. Resolves to its url. Nothing is removed in between: for some
   * minutes a file system may look for the removed files at each new one, which took longer than all that is measured.
   */
  create(): Promise<string>;
  count(url: string, table: string): Promise<number>;
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** Whether it waits for the disk, as it does where it is installed and nothing is set. */
  readonly durable: boolean;
}

export function startServer(kind: DatabaseKind, options: ServerOptions): Promise<BenchServer> {
  return kind === 'postgres' ? startPostgresServer(options) : startMariadbServer(options);
}

const DURABLE_POSTGRES = { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on' };
const DURABLE_MARIADB = [
  '--innodb-flush-log-at-trx-commit=1',
  '--innodb-flush-method=fsync',
  '--loose-debug-no-sync=0',
  '--loose-sync-frm=1',
];

let databases = 0;
const newName = (): string => `bench_migrate_${++databases}`;

async function startPostgresServer({ durable }: ServerOptions): Promise<BenchServer> {
  const memory = { shared_buffers: '256MB', max_wal_size: '8GB' };
  const server = await startPostgres({ settings: { ...memory, ...(durable && DURABLE_POSTGRES) } });
  const admin = new Client(server.url);
  await admin.connect();
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
    async create() {
      const name = newName();
      await admin.query(`CREATE DATABASE ${name}`);
      const url = new URL(server.url);
      url.pathname = name;
      return url.href;
    },
    count: (url, table) => ask<number>(url, `SELECT count(*)::int AS value FROM ${table}`),
    async stop() {
      await admin.end();
      await server.stop();
    },
  };
}

async function startMariadbServer({ durable }: ServerOptions): Promise<BenchServer> {
  const server = await startMariadb(durable ? DURABLE_MARIADB : []);
  const admin = await createConnection(server.url);
  await admin.query('SET GLOBAL innodb_buffer_pool_size = 256 * 1024 * 1024');
  await admin.query('SET GLOBAL innodb_log_file_size = 512 * 1024 * 1024');
  const ask = async <T>(text: string): Promise<T> => {
    const [rows] = await admin.query<RowDataPacket[]>(text);
    return rows[0]!['value'] as T;
  };
  return {
    version: async () => `MariaDB ${await ask<string>('SELECT version() AS value')}`,
    async create() {
      const name = newName();
      await admin.query(`CREATE DATABASE ${name}`);
      return `${server.url}/${name}`;
    },
    count: (url, table) =>
      ask<number>(`SELECT count(*) AS value FROM ${new URL(url).pathname.slice(1)}.${table}`),
    async stop() {
      await admin.end();
      await server.stop();
    },
  };
}
