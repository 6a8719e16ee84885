import { systemClock } from '../core/index.js';
import { SqlitePool } from './drivers/sqlite/sqlite-pool.js';
import type { SqliteDatabase } from './drivers/sqlite/sqlite-types.js';
import { registerPool } from './manage-pool.js';
import { DEFAULT_SOURCE } from './registry.js';

/** Behind a hand-written transaction a request could wait for itself. */
const DEFAULT_ACQUIRE_TIMEOUT_MS = 10_000;

const MANAGED = Symbol.for('holdfast.managed-pool/1');
type Managed = object & { [MANAGED]?: SqlitePool };

export interface ManageSqliteOptions {
  readonly name: string | undefined;
  /** How long a request waits for the connection, in milliseconds. Default: 10000. */
  readonly acquireTimeoutMs: number | undefined;
}

/**
 * Puts the connection of an ORM's SQLite driver under management, and registers it as a data source. Idempotent. The
 * ORM's adapter asks it for turns: the Database's own methods run at once, and cannot wait.
 * Throws as `managePool` does.
 */
export function manageSqlite(database: SqliteDatabase, options: ManageSqliteOptions): SqlitePool {
  const known = findManagedSqlite(database);
  const pool = known ?? wrap(database, options);
  if (!known) {
    pool.connected(database);
    pool.endWith(database);
  }
  return registerPool(pool, options.name);
}

/** {@link manageSqlite} for what opens the connection when it is needed, and then says so with `pool.connected()`. */
export function manageSqliteOpener(opener: object, options: ManageSqliteOptions): SqlitePool {
  return registerPool(findManagedSqlite(opener) ?? wrap(opener, options), options.name);
}

/** The management of a Database or of its opener, where it has one. */
export function findManagedSqlite(owner: Managed): SqlitePool | undefined {
  return owner[MANAGED];
}

function wrap(owner: object, { acquireTimeoutMs }: ManageSqliteOptions): SqlitePool {
  const pool = new SqlitePool(owner, {
    name: DEFAULT_SOURCE,
    clock: systemClock,
    acquireTimeoutMs: acquireTimeoutMs ?? DEFAULT_ACQUIRE_TIMEOUT_MS,
    onUnwrap: () => Reflect.deleteProperty(owner, MANAGED),
  });
  Object.defineProperty(owner, MANAGED, { value: pool, configurable: true });
  return pool;
}
