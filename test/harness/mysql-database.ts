import { setTimeout as sleep } from 'node:timers/promises';
import { createConnection, createPool as createPromisePool } from 'mysql2/promise';
import type { Connection, Pool as PromisePool } from 'mysql2/promise';
import { databaseNameOf } from './database.js';
import { type FaultProxy, startFaultProxy } from './fault-proxy.js';
import { attachToScope, type ScopeListener, type ScopeOutcome, type TestOutcome } from './jest-scope.js';
import { ConnectionLeakError, LEAK_GRACE_MS } from './leaks.js';
import { Resources } from './resources.js';
import type { Closer } from './resources.js';
import { mysqlSchema } from './schema.js';

/** One session of a test's database, without the harness's own. */
export interface MysqlSession {
  readonly id: number;
  readonly inTransaction: boolean;
  /** The statement that it runs now. */
  readonly query: string | null;
}

/**
 * Gives the file (or the describe block) in which it is called a MariaDB database of its own. It is dropped when
 * all tests in there passed, and kept and named in the output when one failed.
 */
export function useMysqlDatabase(schema: readonly string[] = mysqlSchema): MysqlDatabase {
  const database = new MysqlDatabase(schema);
  attachToScope(database);
  return database;
}

export class MysqlDatabase implements ScopeListener {
  readonly #ofScope = new Resources();
  readonly #ofTest = new Resources();
  readonly #schema: readonly string[];
  #inTest = false;
  #observer: PromisePool | undefined;
  #name: string | undefined;

  constructor(schema: readonly string[]) {
    this.#schema = schema;
  }

  get url(): string {
    if (this.#name === undefined)
      throw new Error('The database exists from beforeAll on: use db.url inside hooks and tests.');
    return `${serverUrl()}/${this.#name}`;
  }

  /** A connection outside any pool, for the other party of a test. Ended by the harness. */
  async connection(): Promise<Connection> {
    const connection = await createConnection(this.url);
    this.defer(() => connection.end().catch(() => undefined));
    return connection;
  }

  /** A fault proxy in front of this database's server. Closed by the harness. */
  async proxy(): Promise<FaultProxy> {
    const proxy = await startFaultProxy(this.url);
    (this.#inTest ? this.#ofTest : this.#ofScope).addProxy(() => proxy.close());
    return proxy;
  }

  /** Runs `closer` after the test or, when called from beforeAll, after the file; the latest first. */
  defer(closer: Closer): void {
    (this.#inTest ? this.#ofTest : this.#ofScope).addCloser(closer);
  }

  /** Asks over a connection that nothing under test can see or manage. Resolves to the rows. */
  async query<Row = Record<string, unknown>>(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    if (!this.#observer) throw new Error('The database is not set up, or gone already.');
    const [rows] = await this.#observer.query(sql, [...params]);
    return rows as Row[];
  }

  /** The server's sessions of this database, without the observer's. */
  async sessions(): Promise<MysqlSession[]> {
    // Not information_schema.processlist, which takes seven times as long.
    const rows = await this.query<{ Id: number; db: string | null; Info: string | null }>(
      'SHOW FULL PROCESSLIST',
    );
    const [status] = await this.query<{ Status: string }>('SHOW ENGINE INNODB STATUS');
    const open = openTransactions(status?.Status ?? '');
    return rows
      .map(({ Id, db, Info }) => ({ id: Number(Id), db, query: Info }))
      .filter(({ id, db }) => db === this.#name && !this.#observerIds.has(id))
      .map(({ id, query }) => ({ id, inTransaction: open.has(id), query }));
  }

  /** Empties every table and restarts its numbers. TRUNCATE, which makes a table anew, would take four times as long. */
  async truncate(): Promise<void> {
    const tables = await this.query<{ name: string; next: number | null }>(
      "SELECT table_name AS name, auto_increment AS next FROM information_schema.tables WHERE table_schema = ? AND table_type = 'BASE TABLE'",
      [this.#name],
    );
    const connection = await this.#observer!.getConnection();
    try {
      await connection.query('SET foreign_key_checks = 0');
      for (const { name, next } of tables) {
        await connection.query(`DELETE FROM \`${name}\``);
        if (next !== null && next > 1) await connection.query(`ALTER TABLE \`${name}\` AUTO_INCREMENT = 1`);
      }
      await connection.query('SET foreign_key_checks = 1');
    } finally {
      connection.release();
    }
  }

  async onSetUp(): Promise<void> {
    const name = databaseNameOf(expect.getState().testPath ?? 'unknown');
    const admin = await createConnection(serverUrl());
    try {
      await admin.query(`CREATE DATABASE \`${name}\``);
      await admin.query(`USE \`${name}\``);
      for (const statement of this.#schema) await admin.query(statement);
    } finally {
      await admin.end();
    }
    this.#name = name;
    this.#observer = createPromisePool({ uri: this.url, connectionLimit: 4 });
    this.#observer.on('connection', (connection) => void this.#observerIds.add(Number(connection.threadId)));
  }

  onTestStart(): void {
    this.#inTest = true;
  }

  async onTestEnd(test: TestOutcome): Promise<readonly Error[]> {
    this.#inTest = false;
    if (!this.#observer) return [];
    const left = await this.#whatStays((session) => session.inTransaction);
    const errors = await this.#ofTest.runClosers();
    if (left.length > 0) errors.push(new ConnectionLeakError('test', left));
    errors.push(...(await this.#ofTest.end()));
    return test.failed ? [] : errors;
  }

  async onScopeEnd(scope: ScopeOutcome): Promise<readonly Error[]> {
    const observer = this.#observer;
    if (!observer) return [];
    const errors = [...(await this.#ofScope.runClosers()), ...(await this.#ofScope.end())];
    const left = await this.#whatStays(() => true);
    if (left.length > 0) errors.push(new ConnectionLeakError('file', left));
    if (scope.failed) errors.length = 0;
    if (scope.failed || errors.length > 0) {
      const keep =
        process.env['HOLDFAST_TEST_KEEP'] === '1' ? '' : ' (HOLDFAST_TEST_KEEP=1 keeps its server)';
      process.stderr.write(
        `\nKept the database of ${expect.getState().testPath ?? 'a failed file'}: ${this.url}${keep}\n`,
      );
    } else await observer.query(`DROP DATABASE \`${this.#name}\``);
    await observer.end();
    this.#observer = undefined;
    return errors;
  }

  readonly #observerIds = new Set<number>();

  /** Sessions that are still like that when they have had {@link LEAK_GRACE_MS} to go away. */
  async #whatStays(like: (session: MysqlSession) => boolean): Promise<string[]> {
    const deadline = Date.now() + LEAK_GRACE_MS;
    for (;;) {
      const found = (await this.sessions()).filter(like);
      if (found.length === 0) return [];
      if (Date.now() > deadline) {
        return found.map(
          ({ id, inTransaction, query }) =>
            `session ${id}, ${inTransaction ? 'in a transaction' : 'idle'}: ${query}`,
        );
      }
      await sleep(50);
    }
  }
}

/**
 * The sessions that InnoDB's monitor has in a transaction. `information_schema.innodb_trx` is a copy that the server renews
 * only when nobody has read it for a tenth of a second: with two test files at once, hardly ever.
 */
function openTransactions(status: string): Set<number> {
  const listed = status.matchAll(/^---TRANSACTION [^,]*, ACTIVE[^]*?^(?:MariaDB|MySQL) thread id (\d+),/gm);
  return new Set([...listed].map(([, id]) => Number(id)));
}

function serverUrl(): string {
  const url = process.env['HOLDFAST_TEST_MYSQL_URL'];
  if (url) return url.replace(/\/+$/, '');
  throw new Error(
    process.env['HOLDFAST_TEST_MYSQL_PROBLEM'] ??
      'HOLDFAST_TEST_MYSQL_URL is not set. The jest configuration needs globalSetup: test/harness/global-setup.ts.',
  );
}
