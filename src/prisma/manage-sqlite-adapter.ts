import { optional, readDurationMs, readOptions, readString } from '../core/index.js';
import {
  isInTransaction,
  type ManageSqliteOptions,
  manageSqliteOpener,
  type SqliteDatabase,
  type SqlitePool,
  TransactionControlError,
} from '../connection/index.js';
import { UnsupportedPrismaClientError } from './errors.js';

export const SQLITE_ADAPTER = '@prisma/adapter-better-sqlite3';

/** Options of {@link manageSqliteAdapter}. */
export interface ManageSqliteAdapterOptions {
  /** The data source's name, by which `@Transactional({ dataSource })` finds it. Default: `default`. */
  readonly name?: string;
  /** How long a request waits for the connection, in milliseconds, before it fails with `AcquireTimeoutError`. Default: 10000. */
  readonly acquireTimeoutMs?: number;
}

/** A `PrismaBetterSqlite3`. */
export interface SqliteAdapterFactoryLike {
  readonly adapterName: string;
  connect(): Promise<unknown>;
}

interface Statement {
  readonly sql: string;
}

interface Queryable {
  queryRaw(query: Statement): Promise<unknown>;
  executeRaw(query: Statement): Promise<unknown>;
}

interface SqliteTransaction extends Queryable {
  readonly options: object;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  createSavepoint(name: string): Promise<void>;
  rollbackToSavepoint(name: string): Promise<void>;
  releaseSavepoint(name: string): Promise<void>;
}

/** What `PrismaBetterSqlite3.connect()` resolves to. Read in version 7.10. */
interface SqliteAdapter extends Queryable {
  readonly client: SqliteDatabase;
  executeScript(script: string): Promise<void>;
  startTransaction(isolationLevel?: string): Promise<SqliteTransaction>;
}

/**
 * Puts a `PrismaBetterSqlite3` under holdfast's management and registers it as a data source: its one connection is
 * lent to one at a time. Give it to the client, and call `managePrisma`. Idempotent; only this instance is changed.
 * Answers the adapter it was given. docs/sqlite.md says what holds.
 *
 * Throws `UnsupportedPrismaClientError` for another adapter, `DuplicateDataSourceError` and `InvalidOptionsError`.
 *
 * @example
 * ```ts
 * const adapter = manageSqliteAdapter(new PrismaBetterSqlite3({ url: 'file:shop.db' }));
 * const prisma = managePrisma(new PrismaClient({ adapter }));
 * ```
 */
export function manageSqliteAdapter<F extends SqliteAdapterFactoryLike>(
  factory: F,
  options?: ManageSqliteAdapterOptions,
): F {
  const parsed = readOptions<ManageSqliteOptions>(
    options,
    { name: optional(readString), acquireTimeoutMs: optional(readDurationMs) },
    'manageSqliteAdapter options',
  );
  if (factory.adapterName !== SQLITE_ADAPTER) {
    throw new UnsupportedPrismaClientError(
      `manageSqliteAdapter takes a PrismaBetterSqlite3 of ${SQLITE_ADAPTER}, not ${factory.adapterName}. For @prisma/adapter-pg call managePool(pool).`,
      { adapter: factory.adapterName },
    );
  }
  const pool = manageSqliteOpener(factory, parsed);
  if (Object.hasOwn(factory, 'connect')) return factory;
  const connect = factory.connect.bind(factory);
  const value = async (): Promise<object> => {
    const adapter = (await connect()) as SqliteAdapter;
    pool.connected(adapter.client);
    return takingTurns(adapter, pool);
  };
  Object.defineProperty(factory, 'connect', { value, configurable: true, writable: true });
  return factory;
}

/** The adapter, each statement of it in its turn on the connection. */
function takingTurns(adapter: SqliteAdapter, pool: SqlitePool): object {
  const inTurn = async <T>(text: string, work: () => Promise<T>): Promise<T> => {
    const scope = pool.scopeOfCall();
    if (scope) return (await pool.transactionClient(scope).run(text, work)) as T;
    const lease = await pool.take();
    try {
      const result = await work();
      if (!isInTransaction(adapter.client)) return result;
      // The release rolls it back.
      throw new TransactionControlError(
        'A statement began a transaction that nobody could end: the next one of this client belongs to somebody else. It was rolled back. ' +
          'Use prisma.$transaction(), @Transactional() or runInTransaction().',
      );
    } finally {
      lease.release();
    }
  };
  return withMembers(adapter, {
    queryRaw: async (query) => (await inTurn(query.sql, () => adapter.queryRaw(query))) ?? NO_ROWS,
    executeRaw: async (query) => (await inTurn(query.sql, () => adapter.executeRaw(query))) ?? 0,
    executeScript: (script) => inTurn(script, () => adapter.executeScript(script)),
    startTransaction: (isolationLevel) => startTransaction(adapter, pool, isolationLevel),
  });
}

/** A transaction of Prisma's own: a savepoint inside ours, else it has the connection until it ends. */
async function startTransaction(
  adapter: SqliteAdapter,
  pool: SqlitePool,
  isolationLevel: string | undefined,
): Promise<SqliteTransaction> {
  const scope = pool.scopeOfCall();
  if (scope) {
    const client = pool.transactionClient(scope);
    await client.run('BEGIN', none);
    const run = (sql: string): Promise<unknown> =>
      client.run(sql, () => adapter.executeRaw({ ...NO_ARGUMENTS, sql }));
    return withMembers(adapter as unknown as SqliteTransaction, {
      options: { usePhantomQuery: false },
      queryRaw: async (query) => (await client.run(query.sql, () => adapter.queryRaw(query))) ?? NO_ROWS,
      executeRaw: async (query) => (await client.run(query.sql, () => adapter.executeRaw(query))) ?? 0,
      // Prisma has sent COMMIT or ROLLBACK before.
      commit: none,
      rollback: none,
      createSavepoint: async (name) => void (await run(`SAVEPOINT ${name}`)),
      rollbackToSavepoint: async (name) => void (await run(`ROLLBACK TO ${name}`)),
      releaseSavepoint: async (name) => void (await run(`RELEASE SAVEPOINT ${name}`)),
    });
  }
  const lease = await pool.take();
  try {
    const own = await adapter.startTransaction(isolationLevel);
    const ended = async (end: () => Promise<void>): Promise<void> => {
      await end();
      if (!lease.released) lease.release();
    };
    return withMembers(own, {
      commit: () => ended(() => own.commit()),
      rollback: () => ended(() => own.rollback()),
    });
  } catch (error) {
    lease.release();
    throw error;
  }
}

/** What BEGIN, COMMIT and ROLLBACK inside a transaction answer. */
const NO_ROWS = { columnNames: [], columnTypes: [], rows: [] };
const NO_ARGUMENTS = { args: [], argTypes: [] };
const none = (): Promise<void> => Promise.resolve();

/** An object that does these members itself, and everything else as `target` does: its private members stay its own. */
function withMembers<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get(_, key) {
      if (Object.hasOwn(members, key)) return Reflect.get(members, key) as unknown;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
