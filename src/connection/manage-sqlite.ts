import { systemClock } from '../core/index.js';
import { SqlitePool } from './drivers/sqlite/sqlite-pool.js';
import type { SqliteDatabase } from './drivers/sqlite/sqlite-types.js';
import { registerPool } from './manage-pool.js';
import { DEFAULT_SOURCE } from './registry.js';

/** Behind a hand-written transaction a request could wait for itself. */
const DEFAULT_ACQUIRE_TIMEOUT_MS = 10_000;

const MANAGED = Symbol.for('holdfast.managed-pool/1');
type Managed = SqliteDatabase & { [MANAGED]?: SqlitePool };

interface SqliteOptions {
  readonly name: string | undefined;
  /** How long a request waits for the connection, in milliseconds. Default: 10000. */
  readonly acquireTimeoutMs: number | undefined;
}

/**
 * Puts the connection of an ORM's SQLite driver under management, and registers it as a data source. Idempotent. The
 * ORM's adapter asks it for turns: the Database's own methods run at once, and cannot wait.
 * Throws as `managePool` does.
 */
export function manageSqlite(database: Managed, options: SqliteOptions): SqlitePool {
  return registerPool(database[MANAGED] ?? wrap(database, options), options.name);
}

function wrap(database: Managed, { acquireTimeoutMs }: SqliteOptions): SqlitePool {
  const pool = new SqlitePool(database, {
    name: DEFAULT_SOURCE,
    clock: systemClock,
    acquireTimeoutMs: acquireTimeoutMs ?? DEFAULT_ACQUIRE_TIMEOUT_MS,
    onUnwrap: () => Reflect.deleteProperty(database, MANAGED),
  });
  Object.defineProperty(database, MANAGED, { value: pool, configurable: true });
  return pool;
}
