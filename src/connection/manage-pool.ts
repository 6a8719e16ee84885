import {
  type Clock,
  invalid,
  InvalidOptionsError,
  optional,
  readClock,
  readDurationMs,
  type Reader,
  readInteger,
  readOptions,
  readString,
  systemClock,
} from '../core/index.js';
import {
  findManagedMariadbPool,
  isMariadbPool,
  manageMariadbPool,
} from './drivers/mariadb/manage-mariadb-pool.js';
import type { MariadbPoolLike } from './drivers/mariadb/mariadb-types.js';
import {
  findManagedMysql2Pool,
  isMysql2Pool,
  manageMysql2Pool,
} from './drivers/mysql2/manage-mysql2-pool.js';
import type { Mysql2PoolLike } from './drivers/mysql2/mysql2-types.js';
import { findManagedPgPool, isPgPool, managePgPool } from './drivers/pg/manage-pg-pool.js';
import type { PgPoolLike } from './drivers/pg/pg-types.js';
import { DuplicateDataSourceError, UnsupportedDriverError } from './errors.js';
import type { ManagedPool } from './managed-pool.js';
import { DEFAULT_SOURCE, isRegistered, registerSource, resolveSource, unregisterSource } from './registry.js';
import { runningTransactions } from './running-transactions.js';

/** Options of {@link managePool}. */
export interface ManagePoolOptions {
  /** The data source's name, by which `@Transactional({ dataSource })` finds it. Default: `default`. */
  readonly name?: string;
  /** Where the pool takes its time from. Default: the system's clock. */
  readonly clock?: Clock;
  /**
   * How long a request may wait for a connection, in milliseconds, before it fails with `AcquireTimeoutError`. Default:
   * the driver's own limit. mysql2 has none; `pg` has `connectionTimeoutMillis`.
   */
  readonly acquireTimeoutMs?: number;
  /**
   * For the mariadb connector, which keeps its option of this name to itself: the same number. With it a self-deadlock is
   * recognised at once; without it, it ends with the connector's acquireTimeout. Other drivers tell it themselves.
   */
  readonly connectionLimit?: number;
}

interface ParsedOptions {
  readonly name: string | undefined;
  readonly clock: Clock | undefined;
  readonly acquireTimeoutMs: number | undefined;
  readonly connectionLimit: number | undefined;
}

/** A driver pool that {@link managePool} takes. */
export type ManageablePool = PgPoolLike | Mysql2PoolLike | MariadbPoolLike;

/**
 * Puts a driver pool under holdfast's management and registers it as a data source. Inside a transaction the
 * pool lends the transaction's connection; outside it behaves as before. Idempotent: a repeated call may leave options
 * out, and may not change them. Only this instance is changed, never a prototype.
 *
 * Throws {@link UnsupportedDriverError} for an object that is none of these: a `pg.Pool` of pg 8.21 or newer, a pool of mysql2 3 or one of mariadb 3, `PoolEndedError`
 * for one that has ended, {@link DuplicateDataSourceError} when the name belongs to another pool or the pool to
 * another name, and `InvalidOptionsError`, also for another clock than the pool is managed with.
 *
 * @example
 * ```ts
 * const pool = new Pool({ connectionString: process.env.DATABASE_URL });
 * managePool(pool);
 * await runInTransaction(async () => {
 *   await pool.query('INSERT INTO account (owner) VALUES ($1)', ['ada']);
 * });
 * ```
 */
export function managePool(pool: ManageablePool, options?: ManagePoolOptions): ManagedPool {
  const asked = readOptions<ParsedOptions>(
    options,
    {
      name: optional(readString),
      clock: optional(readClock),
      acquireTimeoutMs: optional(readDurationMs),
      connectionLimit: optional(readInteger(1, 100_000)),
    },
    'managePool options',
  );
  const name = asked.name ?? DEFAULT_SOURCE;
  const managed = wrap(pool, { ...asked, name, clock: asked.clock ?? systemClock });
  for (const option of ['clock', 'acquireTimeoutMs'] as const) {
    if (asked[option] === undefined || asked[option] === managed[option]) continue;
    throw new InvalidOptionsError(
      `managePool options.${option} is not the ${option} that pool "${managed.name}" is managed with. Give it in the first call, or leave it out.`,
    );
  }
  const { max } = managed.counts();
  if (asked.connectionLimit !== undefined && asked.connectionLimit !== max) {
    throw new InvalidOptionsError(
      `managePool options.connectionLimit is ${asked.connectionLimit}, and pool "${managed.name}" has ${max}. Give the pool's own, or leave it out.`,
    );
  }
  return registerPool(managed, asked.name);
}

/** Makes a wrapped pool the primary of a data source of this name. Throws as {@link managePool} does. */
export function registerPool<P extends ManagedPool>(managed: P, asked: string | undefined): P {
  if (managed.serving) return manageAgain(managed, asked);
  const name = asked ?? DEFAULT_SOURCE;
  const source = { name, primary: managed, replicas: [] };
  try {
    registerSource(source);
  } catch (error) {
    managed.unwrap();
    throw error;
  }
  managed.serve(source, name);
  return managed;
}

function manageAgain<P extends ManagedPool>(managed: P, name: string | undefined): P {
  const { source } = managed;
  if (source.primary !== managed || (name !== undefined && name !== source.name)) {
    const wanted = name ?? DEFAULT_SOURCE;
    const next =
      source.primary === managed
        ? `Use it as "${managed.name}", or call unmanagePool(…) first; or make`
        : 'Make';
    throw new DuplicateDataSourceError(
      `This pool is already managed as "${managed.name}"; it cannot be "${wanted}" as well. ${next} a pool of its own for "${wanted}".`,
    );
  }
  // Its name was given free if it is on its way out of management.
  registerSource(source);
  return managed;
}

/**
 * The managed primary pool of a data source: its `native` is the driver's pool, for raw SQL beside an ORM.
 *
 * @param name The data source's name. Default: `default`.
 * @throws UnknownDataSourceError for a name that nobody manages, PoolEndedError when its pool has ended,
 * InvalidOptionsError for what is no name.
 *
 * @example
 * ```ts
 * const pool = managedPool().native as Pool;
 * await pool.query('REFRESH MATERIALIZED VIEW ranking');
 * ```
 */
export function managedPool(name: string = DEFAULT_SOURCE): ManagedPool {
  return resolveSource(readString(name, 'managedPool(name)')).primary;
}

/**
 * Wraps a pool without registering it as a data source yet: its leases are tracked from the first one on, and
 * `managePool` finds it prepared, and gives it its own name. Throws as {@link managePool} does.
 */
export function preparePool(
  pool: ManageablePool,
  {
    name = DEFAULT_SOURCE,
    clock = systemClock,
    connectionLimit,
  }: {
    readonly name?: string;
    readonly clock?: Clock;
    readonly connectionLimit?: number | undefined;
  } = {},
): ManagedPool {
  return wrap(pool, {
    name,
    clock,
    acquireTimeoutMs: undefined,
    connectionLimit,
  });
}

/** The management of a driver pool, where it has one, whichever copy of the package made it. */
export function findManagedPool(pool: object): ManagedPool | undefined {
  return findManagedPgPool(pool) ?? findManagedMysql2Pool(pool) ?? findManagedMariadbPool(pool);
}

/** What `managePool` answers, of either copy of the package. */
const readManagedPool: Reader<ManagedPool> = (value, path) => {
  const { serve, unwrap } = (value ?? {}) as Partial<ManagedPool>;
  if (typeof serve !== 'function' || typeof unwrap !== 'function')
    throw invalid(path, value, 'what managePool() answered, or managedPool(name)');
  return value as ManagedPool;
};

/**
 * Manages a pool as a read replica of the primary's data source: transactions with `readOnly: true` run on it. Idempotent.
 * Throws as {@link managePool} does; a pool that is a primary already, or serves another data source, is a
 * {@link DuplicateDataSourceError}.
 *
 * @example
 * ```ts
 * managePool(primaryPool);
 * manageReplica(replicaPool, managedPool());
 * const { rows } = await runInTransaction(() => primaryPool.query('SELECT * FROM ranking'), { readOnly: true });
 * ```
 */
export function manageReplica(pool: ManageablePool, primary: ManagedPool): ManagedPool {
  const { source } = readManagedPool(primary, 'manageReplica(pool, primary)');
  const name = `${source.name}/replica-${source.replicas.length + 1}`;
  const managed = wrap(pool, {
    name,
    clock: primary.clock,
    acquireTimeoutMs: undefined,
    connectionLimit: undefined,
  });
  if (source.replicas.includes(managed)) return managed;
  if (managed.serving) {
    throw new DuplicateDataSourceError(
      `This pool is already managed as "${managed.name}"; it cannot be a replica of "${source.name}" as well. ` +
        'Make a pool of its own for the replica, or call unmanagePool(…) first.',
    );
  }
  managed.serve(source, name);
  source.replicas.push(managed);
  return managed;
}

/**
 * Takes the management off a pool and its replicas and gives the name free: from now on no transaction begins on it.
 * Those that run go on as before, and what they ask the pool for stays part of them: while there are any, the instance
 * is not as it was yet. An unmanaged pool is left alone, and the pool itself is not ended. Throws `InvalidOptionsError`
 * for what is not managed, such as the driver's pool.
 *
 * @example
 * ```ts
 * const managed = managePool(pool);
 * afterAll(async () => {
 *   unmanagePool(managed);
 *   await pool.end();
 * });
 * ```
 */
export function unmanagePool(managed: ManagedPool): void {
  readManagedPool(managed, 'unmanagePool(managed)');
  if (!managed.serving) {
    managed.unwrap();
    return;
  }
  const { source } = managed;
  unregisterSource(source);
  runningTransactions.afterLast(source, () => {
    if (isRegistered(source)) return;
    for (const pool of [source.primary, ...source.replicas]) pool.unwrap();
  });
}

interface Wrapping {
  readonly name: string;
  readonly clock: Clock;
  readonly acquireTimeoutMs: number | undefined;
  readonly connectionLimit: number | undefined;
}

function wrap(pool: ManageablePool, options: Wrapping): ManagedPool {
  if (isMysql2Pool(pool)) return manageMysql2Pool(pool, options);
  if (isMariadbPool(pool)) return manageMariadbPool(pool, options);
  if (!isPgPool(pool)) {
    throw new UnsupportedDriverError(
      'managePool takes a pg.Pool (or a subclass), a pool of mysql2 or mysql2/promise, or one of mariadb. For TypeORM call manageDataSource(dataSource) of holdfast/typeorm instead.',
    );
  }
  return managePgPool(pool, options);
}
