import { createHash } from 'node:crypto';
import { relative } from 'node:path';
import { Client, Pool } from 'pg';
import type { PoolConfig, QueryResultRow } from 'pg';
import { startFaultProxy } from './fault-proxy.js';
import type { FaultProxy } from './fault-proxy.js';
import { attachToScope } from './jest-scope.js';
import type { ScopeListener, ScopeOutcome, TestOutcome } from './jest-scope.js';
import {
  ConnectionLeakError,
  findLeaksOfFile,
  findLeaksOfTest,
  findLentClients,
  LEAK_GRACE_MS,
} from './leaks.js';
import type { LeakSources, ServerSession } from './leaks.js';
import { Resources } from './resources.js';
import type { Closer } from './resources.js';
import { defaultSchema } from './schema.js';
import { createDatabase, dropDatabase, runId, urlOfDatabase } from './template.js';
import { TrackedPool, callerLocation } from './tracked-pool.js';

export interface DatabaseOptions {
  /** SQL of the template that the database is made from. Default: `defaultSchema`. */
  readonly schema?: string;
}

const observerName = 'holdfast-test-observer';
let databasesOfThisFile = 0;

/** What TRUNCATE does, whose new files cost ten times as much as the few rows of a test. No trigger sees it, nor a foreign key. */
const emptyTables = `
  DO $$
  DECLARE
    each record;
  BEGIN
    SET LOCAL session_replication_role = replica;
    FOR each IN SELECT oid::regclass AS name FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
      EXECUTE format('DELETE FROM %s', each.name);
    END LOOP;
    PERFORM setval(seqrelid::regclass, seqstart, false) FROM pg_sequence JOIN pg_class ON oid = seqrelid
        WHERE relnamespace = 'public'::regnamespace;
  END $$`;

/**
 * Gives the file (or the describe block) in which it is called a database of its own. It is dropped when all
 * tests in there passed, and kept and named in the output when one failed.
 */
export function useDatabase(options: DatabaseOptions = {}): TestDatabase {
  const database = new TestDatabase(options);
  attachToScope(database);
  return database;
}

export class TestDatabase implements ScopeListener {
  private readonly schema: string;
  private readonly ofScope = new Resources();
  private readonly ofTest = new Resources();
  /** Sessions that a test was blamed for already: only one test fails for one leak. */
  private readonly blamed = new Set<number>();
  private inTest = false;
  private observer: Pool | undefined;
  private databaseName: string | undefined;

  constructor(options: DatabaseOptions) {
    this.schema = options.schema ?? defaultSchema;
  }

  get name(): string {
    if (this.databaseName !== undefined) return this.databaseName;
    throw new Error(
      'The database exists from beforeAll on: use db.url and db.pool() inside hooks and tests.',
    );
  }

  get url(): string {
    return urlOfDatabase(this.name);
  }

  /** A pool on this database, ended by the harness after the test (or the hook's scope) that made it. */
  pool(options: PoolConfig = {}): Pool {
    const connectionString = options.connectionString ?? this.url;
    const pool = new Pool({ ...options, connectionString });
    return this.track(pool);
  }

  /** Puts a pool that something else made under the harness's watch: it is checked for leaks and ended. */
  track(pool: Pool): Pool {
    this.current.pools.add(new TrackedPool(pool, callerLocation()));
    return pool;
  }

  /** A connected client outside any pool, for the other party of a test. Ended by the harness. */
  async client(): Promise<Client> {
    const client = new Client({ connectionString: this.url });
    await client.connect();
    this.defer(() => client.end());
    return client;
  }

  /** A fault proxy in front of this database's server. Closed by the harness. */
  async proxy(): Promise<FaultProxy> {
    const proxy = await startFaultProxy(this.url);
    this.current.addProxy(() => proxy.close());
    return proxy;
  }

  /** Runs `closer` after the test or, when called from beforeAll, after the file; the latest first. */
  defer(closer: Closer): void {
    this.current.addCloser(closer);
  }

  /** Asks over a connection that nothing under test can see or manage. Resolves to the rows. */
  async query<Row extends QueryResultRow = QueryResultRow>(
    sql: string,
    params?: readonly unknown[],
  ): Promise<Row[]> {
    const { rows } = await this.observing.query<Row>(sql, params === undefined ? undefined : [...params]);
    return rows;
  }

  /** Major * 10000 + minor: 180004. A PostgreSQL that is named to the tests may be older than the one that they bring. */
  async serverVersion(): Promise<number> {
    const [row] = await this.query<{ version: number }>(
      "SELECT current_setting('server_version_num')::int AS version",
    );
    return row!.version;
  }

  /** The server's sessions of this database, without the observer's. */
  async sessions(): Promise<ServerSession[]> {
    // Prepared, for it is asked several times in each test.
    const { rows } = await this.observing.query<ServerSession & QueryResultRow>({
      name: 'sessions',
      text: `SELECT pid, coalesce(state, 'unknown') AS state, application_name AS application, query,
                    xact_start IS NOT NULL AS "inTransaction"
               FROM pg_stat_activity
              WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> $1
              ORDER BY backend_start`,
      values: [observerName],
    });
    return rows;
  }

  /** Empties every table of the schema `public` and restarts its sequences. */
  async truncate(): Promise<void> {
    await this.query(emptyTables);
  }

  async onSetUp(): Promise<void> {
    const name = databaseNameOf(expect.getState().testPath ?? 'unknown');
    await createDatabase(name, this.schema);
    this.databaseName = name;
    this.observer = new Pool({
      connectionString: this.url,
      application_name: observerName,
      max: 4,
      statement_timeout: 30_000,
      allowExitOnIdle: true,
    });
    this.observer.on('error', () => undefined);
  }

  onTestStart(): void {
    this.inTest = true;
  }

  async onTestEnd(test: TestOutcome): Promise<readonly Error[]> {
    this.inTest = false;
    if (this.observer === undefined) return [];
    const errors = await this.ofTest.runClosers();
    const leaks = await findLeaksOfTest(this.leakSources());
    if (leaks.length > 0) {
      for (const pool of this.pools()) pool.destroyLent();
      await this.blameNoOtherTest();
      errors.push(new ConnectionLeakError('test', leaks));
    }
    errors.push(...(await this.ofTest.end()));
    // A test that failed rarely got to its clean-up: its own error is the one to read.
    return test.failed ? [] : errors;
  }

  async onScopeEnd(scope: ScopeOutcome): Promise<readonly Error[]> {
    if (this.observer === undefined) return [];
    const errors = await this.ofScope.runClosers();
    const lent = await findLentClients(this.leakSources());
    errors.push(...(await this.ofScope.end()));
    this.blamed.clear();
    const leaks = [...lent, ...(await findLeaksOfFile(this.leakSources()))];
    if (leaks.length > 0) errors.push(new ConnectionLeakError('file', leaks));
    await this.observer.end();
    this.observer = undefined;
    if (scope.failed) errors.length = 0;
    await (scope.failed || errors.length > 0 ? this.announce() : dropDatabase(this.name));
    return errors;
  }

  /** What the checks look at. */
  leakSources(): LeakSources {
    return {
      pools: this.pools(),
      sessions: async () => (await this.sessions()).filter(({ pid }) => !this.blamed.has(pid)),
      preparedTransactions: async () => {
        const found = await this.query<{ gid: string }>(
          'SELECT gid FROM pg_prepared_xacts WHERE database = current_database()',
        );
        return found.map(({ gid }) => gid);
      },
      graceMs: LEAK_GRACE_MS,
    };
  }

  private get observing(): Pool {
    if (this.observer === undefined) throw new Error('The database is not set up, or gone already.');
    return this.observer;
  }

  private get current(): Resources {
    return this.inTest ? this.ofTest : this.ofScope;
  }

  private pools(): TrackedPool[] {
    return [...this.ofScope.pools, ...this.ofTest.pools];
  }

  private async blameNoOtherTest(): Promise<void> {
    for (const session of await this.sessions()) if (session.inTransaction) this.blamed.add(session.pid);
  }

  private announce(): void {
    const kept = process.env['HOLDFAST_TEST_KEEP'] === '1';
    const advice = kept
      ? `psql '${this.url}'`
      : `${this.url} (run with HOLDFAST_TEST_KEEP=1 to keep its server)`;
    process.stderr.write(
      `\nKept the database of ${expect.getState().testPath ?? 'a failed file'}: ${advice}\n`,
    );
  }
}

/** `test/conformance/commit.test.ts` of run 3fa9c1 becomes `conformance_commit_3fa9c1_<hash>`. */
export function databaseNameOf(testPath: string): string {
  databasesOfThisFile += 1;
  const path = relative(process.cwd(), testPath);
  const words = path.replace(/\.(test|spec)\.[^.]+$/, '').toLowerCase();
  const slug = words.replace(/^test[\\/]/, '').replace(/[^a-z0-9]+/g, '_');
  const hash = createHash('sha256')
    .update(`${path}#${databasesOfThisFile}#${process.pid}`)
    .digest('hex')
    .slice(0, 4);
  return `${slug.slice(0, 44).replace(/^_+|_+$/g, '')}_${runId()}_${hash}`;
}
