import { systemClock } from '../core/index.js';
import { SqlitePool } from './drivers/sqlite/sqlite-pool.js';
import type { SqliteDatabase } from './drivers/sqlite/sqlite-types.js';
import { registerPool } from './manage-pool.js';

/** How long a request waits for the connection, in milliseconds: behind a hand-written transaction it could wait for itself. */
const ACQUIRE_TIMEOUT_MS = 10_000;

const MANAGED = Symbol.for('holdfast.managed-pool/1');
type Managed = SqliteDatabase & { [MANAGED]?: SqlitePool };

/**
 * Puts the connection of an ORM's SQLite driver under management, and registers it as a data source. Idempotent. The
 * ORM's adapter asks it for turns: the Database's own methods run at once, and cannot wait.
 * Throws as `managePool` does.
 */
export function manageSqlite(database: Managed, name: string | undefined): SqlitePool {
  return registerPool(database[MANAGED] ?? wrap(database), name);
}

function wrap(database: Managed): SqlitePool {
  const pool = new SqlitePool(database, {
    name: 'default',
    clock: systemClock,
    acquireTimeoutMs: ACQUIRE_TIMEOUT_MS,
    onUnwrap: () => Reflect.deleteProperty(database, MANAGED),
  });
  Object.defineProperty(database, MANAGED, { value: pool, configurable: true });
  return pool;
}
