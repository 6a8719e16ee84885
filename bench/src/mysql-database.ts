import { randomBytes } from 'node:crypto';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { startMariadb } from '../../test/harness/mariadb.js';
import type { BenchDatabase, DatabaseOptions, Written } from './database.js';
import { ACCOUNTS } from './workload.js';

const SCHEMA = [
  'CREATE TABLE account (id int PRIMARY KEY, writer int NOT NULL, balance int NOT NULL DEFAULT 0)',
  'CREATE TABLE event (id bigint PRIMARY KEY AUTO_INCREMENT, writer int NOT NULL, amount int NOT NULL, KEY (writer))',
];

/** Opens a database on the server of `HOLDFAST_TEST_MYSQL_URL`, which stays as it is set, or on a private MariaDB. */
export async function openMysql({ durable, writers }: DatabaseOptions): Promise<BenchDatabase> {
  const given = process.env['HOLDFAST_TEST_MYSQL_URL'];
  const server = given ? undefined : await startMariadb();
  const name = `holdfast_bench_${randomBytes(4).toString('hex')}`;
  const url = new URL(given ?? server!.url);
  const admin = await createConnection(url.href);
  if (server) await setUp(admin, { durable });
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.query(`USE ${name}`);
  for (const statement of SCHEMA) await admin.query(statement);
  for (let writer = 0; writer < writers; writer++) {
    const rows = Array.from({ length: ACCOUNTS }, (_, n) => [writer * ACCOUNTS + n, writer]);
    await admin.query('INSERT INTO account (id, writer) VALUES ?', [rows]);
  }
  url.pathname = `/${name}`;
  return {
    url: url.href,
    async describe() {
      const [rows] = await admin.query<RowDataPacket[]>(
        'SELECT version() AS version, @@innodb_flush_log_at_trx_commit AS flush',
      );
      const { version, flush } = rows[0]! as { version: string; flush: number };
      return `${server || /mariadb/i.test(version) ? 'MariaDB' : 'MySQL'} ${version}, innodb_flush_log_at_trx_commit ${flush}`;
    },
    async reset() {
      await admin.query('TRUNCATE event');
      await admin.query('UPDATE account SET balance = 0');
      await admin.query('ANALYZE TABLE account');
    },
    async written() {
      const [rows] = await admin.query<RowDataPacket[]>(
        `SELECT writer, CAST(sum(balance) AS SIGNED) AS balance,
           (SELECT count(*) FROM event WHERE event.writer = account.writer) AS events
         FROM account GROUP BY writer`,
      );
      return rows as (RowDataPacket & Written)[];
    },
    async connect(link) {
      const connection = await createConnection(link);
      return { ping: () => connection.query('SELECT 1'), end: () => connection.end() };
    },
    async stop() {
      await admin.query(`DROP DATABASE ${name}`);
      await admin.end();
      await server?.stop();
    },
  };
}

/** The tests' server is set up to be small. */
async function setUp(admin: Connection, { durable }: { durable: boolean }): Promise<void> {
  await admin.query(`SET GLOBAL innodb_flush_log_at_trx_commit = ${durable ? 1 : 0}`);
  await admin.query('SET GLOBAL innodb_buffer_pool_size = 256 * 1024 * 1024');
  await admin.query('SET GLOBAL innodb_log_file_size = 512 * 1024 * 1024');
}
