import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import {
  InvalidOptionsError,
  type IsolationLevel,
  optional,
  readDurationMs,
  readOptions,
  readString,
} from '../core/index.js';
import {
  ambientScope,
  DEFAULT_SOURCE,
  type ManagedPool,
  type ManagedSource,
  managePool,
  manageReplica,
  manageSqlite,
  type SqlitePool,
  unmanagePool,
  UnsupportedDriverError,
} from '../connection/index.js';
import {
  DEFAULT_SHUTDOWN_TIMEOUT_MS,
  runInTransaction,
  shutDown,
  type TransactionScope,
} from '../transaction/index.js';
import { poolsOf } from './driver-pools.js';
import { DataSourceNotInitializedError } from './errors.js';
import {
  type JoinedQueryRunnerConstructor,
  joinedQueryRunnerOf,
  unwrapErrorsOf,
} from './joined-query-runner.js';
import { beginForPersistence, isSqlite, sqliteDatabaseOf } from './sqlite-data-source.js';
import { SqliteQueryRunners } from './sqlite-query-runners.js';
import { TypeormParticipant } from './typeorm-participant.js';
import type { DataSourceMethods, TransactionMethod } from './typeorm-types.js';

/** Options of {@link manageDataSource}. */
export interface ManageDataSourceOptions {
  /** The name by which `@Transactional({ dataSource })` finds it. Default: the data source's own name, else `default`. */
  readonly name?: string;
  /** How long `dataSource.destroy()` waits for running transactions before it rolls them back, in milliseconds. Default: 10000. */
  readonly shutdownTimeoutMs?: number;
  /**
   * How long a request waits for a connection, in milliseconds, before it fails with `AcquireTimeoutError`. Default: the
   * driver's own limit; on SQLite, whose driver has one connection and no limit, 10000.
   */
  readonly acquireTimeoutMs?: number;
}

interface ParsedOptions {
  readonly name: string | undefined;
  readonly shutdownTimeoutMs: number | undefined;
  readonly acquireTimeoutMs: number | undefined;
}

const MANAGED = Symbol.for('holdfast.managed-data-source/1');

type Manageable = DataSource & { [MANAGED]?: ManagedDataSource };

/**
 * Puts a TypeORM DataSource under holdfast's management: its pool, and its replicas where it has any. Inside a
 * transaction every way into TypeORM uses the transaction's connection; outside, TypeORM behaves as before.
 * Idempotent: a repeated call may leave options out, and may not change them. Only this instance is changed. `destroy()`
 * waits for running transactions and refuses new ones with `ShutdownError`; `initialize()` after it manages the new pool
 * under the same name.
 *
 * Throws {@link DataSourceNotInitializedError}, `UnsupportedDriverError` for another database than PostgreSQL, MySQL,
 * MariaDB or SQLite (better-sqlite3, or sql.js without `autoSave`), `DuplicateDataSourceError` and `InvalidOptionsError`, also for other durations than the first call's.
 *
 * @example
 * ```ts
 * await dataSource.initialize();
 * manageDataSource(dataSource);
 * ```
 */
export function manageDataSource(dataSource: DataSource, options?: ManageDataSourceOptions): ManagedSource {
  const parsed = readOptions<ParsedOptions>(
    options,
    {
      name: optional(readString),
      shutdownTimeoutMs: optional(readDurationMs),
      acquireTimeoutMs: optional(readDurationMs),
    },
    'manageDataSource options',
  );
  if (!isDataSource(dataSource)) {
    throw new UnsupportedDriverError(
      "manageDataSource takes a TypeORM DataSource. For a pg.Pool call managePool(pool) of 'holdfast'.",
    );
  }
  const managed = (dataSource as Manageable)[MANAGED];
  if (managed) return managed.again(parsed);
  const created = new ManagedDataSource(dataSource, parsed);
  Object.defineProperty(dataSource, MANAGED, { value: created });
  return created.source;
}

/**
 * Whether `manageDataSource` has taken this data source, in either copy of the package.
 *
 * @example
 * ```ts
 * if (!isManagedDataSource(dataSource)) manageDataSource(dataSource, { name: 'shop' });
 * ```
 */
export function isManagedDataSource(dataSource: DataSource): boolean {
  return (dataSource as Manageable)[MANAGED] !== undefined;
}

class ManagedDataSource {
  readonly #dataSource: DataSource;
  readonly #shutdownTimeoutMs: number;
  readonly #acquireTimeoutMs: number | undefined;
  readonly #original: DataSourceMethods;
  readonly #JoinedQueryRunner: JoinedQueryRunnerConstructor;
  /** On SQLite, whose driver does not keep apart what several do at once. */
  readonly #sqlite: SqliteQueryRunners | undefined;
  #pool: ManagedPool;
  /** The method that stands in for that of the manager made last. */
  #takingTurns: { readonly original: TransactionMethod; readonly method: PropertyDescriptor } | undefined;

  constructor(dataSource: DataSource, options: ParsedOptions) {
    this.#dataSource = dataSource;
    this.#shutdownTimeoutMs = options.shutdownTimeoutMs ?? DEFAULT_SHUTDOWN_TIMEOUT_MS;
    this.#acquireTimeoutMs = options.acquireTimeoutMs;
    this.#pool = this.#managePools(options.name);
    this.#original = {
      createEntityManager: dataSource.createEntityManager.bind(dataSource),
      createQueryRunner: dataSource.createQueryRunner.bind(dataSource),
      destroy: dataSource.destroy.bind(dataSource),
      initialize: dataSource.initialize.bind(dataSource),
    };
    const createManager = (runner: QueryRunner): EntityManager => {
      const manager = this.#original.createEntityManager(runner);
      this.#takeTurnsIn(manager);
      return manager;
    };
    const Joined = joinedQueryRunnerOf(dataSource, createManager);
    if (isSqlite(dataSource)) {
      this.#sqlite = new SqliteQueryRunners({
        dataSource,
        pool: () => this.#pool as SqlitePool,
        join: () => this.#participant()?.join(),
        createManager: this.#original.createEntityManager,
      });
    }
    this.#JoinedQueryRunner = this.#sqlite?.joined(Joined) ?? Joined;
    replace(dataSource, {
      createEntityManager: (runner) => {
        const manager = this.#original.createEntityManager(runner);
        // With a QueryRunner of its own it stays on that one's connection.
        if (!runner) this.#takeTurnsIn(manager);
        return manager;
      },
      createQueryRunner: (mode) =>
        this.#participant()?.join() ??
        this.#outside() ??
        unwrapErrorsOf(this.#original.createQueryRunner(mode)),
      destroy: () => this.#destroy(),
      initialize: () => this.#initialize(),
    } satisfies DataSourceMethods);
    this.#takeTurnsIn(dataSource.manager);
  }

  get source(): ManagedSource {
    return this.#pool.source;
  }

  again({ name, ...durations }: ParsedOptions): ManagedSource {
    const own = { shutdownTimeoutMs: this.#shutdownTimeoutMs, acquireTimeoutMs: this.#acquireTimeoutMs };
    for (const option of ['shutdownTimeoutMs', 'acquireTimeoutMs'] as const) {
      const asked = durations[option];
      if (asked === undefined || asked === own[option]) continue;
      throw new InvalidOptionsError(
        `manageDataSource options.${option} is ${asked}, but data source "${this.source.name}" is managed with ` +
          `${own[option] ?? "the driver's own limit"}. Give it in the first call, or leave it out.`,
      );
    }
    this.#pool = this.#managePools(name ?? this.source.name);
    return this.source;
  }

  #managePools(asked: string | undefined): ManagedPool {
    const { isInitialized, options } = this.#dataSource;
    const acquireTimeoutMs = this.#acquireTimeoutMs;
    const name = asked ?? (options as { name?: string }).name ?? DEFAULT_SOURCE;
    if (!isInitialized) {
      throw new DataSourceNotInitializedError(
        `Data source "${name}" is not initialised yet, so it has no pool to manage. Call manageDataSource() after await dataSource.initialize().`,
      );
    }
    if (isSqlite(this.#dataSource))
      return manageSqlite(sqliteDatabaseOf(this.#dataSource), { name, acquireTimeoutMs });
    const pools = poolsOf(this.#dataSource);
    if (!pools) {
      throw new UnsupportedDriverError(
        `Data source "${name}" is of type ${options.type}; this version of holdfast manages TypeORM on PostgreSQL (type: 'postgres'), on ` +
          "MySQL and MariaDB with mysql2 (type: 'mysql' or 'mariadb'), and on SQLite with better-sqlite3 or sql.js (type: 'better-sqlite3' or 'sqljs').",
      );
    }
    const pool = managePool(pools.primary, {
      name,
      ...(acquireTimeoutMs !== undefined && { acquireTimeoutMs }),
    });
    for (const replica of pools.replicas) manageReplica(replica, pool);
    return pool;
  }

  /** The participant of the transaction around the running call. Throws when that transaction has ended. */
  #participant(): TypeormParticipant | undefined {
    const scope = ambientScope(this.source) as TransactionScope | undefined;
    if (!scope) return undefined;
    if (scope.closed) throw scope.closedError();
    const { transaction } = scope;
    return transaction.participants.of(
      this,
      () => new TypeormParticipant(this.#dataSource, transaction, this.#JoinedQueryRunner),
    );
  }

  #outside(): QueryRunner | undefined {
    // While the data source is initialised again, its new connection is not managed yet.
    return this.#pool.ended ? undefined : this.#sqlite?.outside();
  }

  /**
   * `manager.transaction(callback)` inside a transaction is a nested scope, so that two at once take turns. On SQLite it is
   * one of holdfast outside as well, and so is what save() and its like begin: whatever runs inside joins it, as there
   * is no other connection.
   */
  #takeTurnsIn(manager: EntityManager): void {
    const sqlite = this.#sqlite;
    if (sqlite) {
      beginForPersistence(manager, (name, work) =>
        this.#participant() || sqlite.isTold()
          ? work()
          : runInTransaction(work, { dataSource: this.source.name, name }),
      );
    }
    const original = Reflect.get(manager, 'transaction') as TransactionMethod;
    // One method for all managers of a class: one of them is made for each QueryRunner that asks for it.
    if (this.#takingTurns?.original !== original)
      this.#takingTurns = { original, method: methodOf(this.#transactionInTurn(original)) };
    Object.defineProperty(manager, 'transaction', this.#takingTurns.method);
  }

  #transactionInTurn(original: TransactionMethod): TransactionMethod {
    const nested = (args: readonly unknown[]): Promise<unknown> | undefined => {
      const work = args.find((arg) => typeof arg === 'function') as
        ((manager: EntityManager) => Promise<unknown>) | undefined;
      const participant = this.#participant();
      if (!work || !(participant || this.#sqlite)) return undefined;
      const isolationLevel = args.find((arg) => typeof arg === 'string') as IsolationLevel | undefined;
      return runInTransaction(async () => work(this.#participant()!.join().manager), {
        dataSource: this.source.name,
        propagation: 'NESTED',
        // It asks for nothing that the transaction around it does not have.
        readOnly: participant?.readOnly ?? false,
        name: 'EntityManager.transaction',
        ...(isolationLevel && { isolationLevel }),
      });
    };
    return async function transaction(this: EntityManager, ...args: unknown[]): Promise<unknown> {
      return nested(args) ?? original.apply(this, args as never);
    } as TransactionMethod;
  }

  async #destroy(): Promise<void> {
    await shutDown(this.source, this.#shutdownTimeoutMs, async () => {
      await this.#original.destroy();
      unmanagePool(this.#pool);
    });
  }

  async #initialize(): Promise<DataSource> {
    const { name } = this.source;
    await this.#original.initialize();
    this.#pool = this.#managePools(name);
    return this.#dataSource;
  }
}

function replace<T extends object>(target: T, methods: Partial<T>): void {
  for (const [key, value] of Object.entries(methods)) {
    Object.defineProperty(target, key, methodOf(value));
  }
}

/** A method as a class would have it: writable, and not among the keys. */
function methodOf(value: unknown): PropertyDescriptor {
  return { value, configurable: true, writable: true };
}

function isDataSource(value: unknown): value is DataSource {
  const { driver, options } = (value ?? {}) as Partial<DataSource>;
  return typeof driver === 'object' && typeof options === 'object';
}
