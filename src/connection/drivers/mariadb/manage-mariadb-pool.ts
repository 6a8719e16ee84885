import type { DriverPoolOptions } from '../../driver-pool.js';
import { PoolEndedError, UnsupportedDriverError } from '../../errors.js';
import { MariadbManagedPool } from './mariadb-pool.js';
import type { MariadbPool } from './mariadb-types.js';

const MANAGED = Symbol.for('holdfast.managed-pool/1');
type Managed = MariadbPool & { [MANAGED]?: MariadbManagedPool };

/** Whether the object has the shape of a pool of the mariadb connector. */
export function isMariadbPool(pool: unknown): pool is MariadbPool {
  const { getConnection, batch, totalConnections, taskQueueSize } = Object(pool) as Partial<MariadbPool>;
  return [getConnection, batch, totalConnections, taskQueueSize].every((part) => typeof part === 'function');
}

/** The management of this pool, made at the first call. */
export function manageMariadbPool(
  pool: Managed,
  options: Omit<DriverPoolOptions, 'onUnwrap'> & { readonly connectionLimit: number | undefined },
): MariadbManagedPool {
  if (pool.closed)
    throw new PoolEndedError(`The pool given as "${options.name}" has ended; manage a new one.`);
  if (pool[MANAGED]) return pool[MANAGED];
  // The methods of the callback API take one parameter more, the callback.
  if (pool.getConnection.length > 0) {
    throw new UnsupportedDriverError(
      `The pool given as "${options.name}" is one of mariadb/callback; holdfast manages those of the promise API: import { createPool } from 'mariadb'.`,
    );
  }
  const onUnwrap = (): boolean => Reflect.deleteProperty(pool, MANAGED);
  const managed = new MariadbManagedPool(pool, { ...options, onUnwrap });
  Object.defineProperty(pool, MANAGED, { value: managed, configurable: true });
  return managed;
}

/** The management of this pool, where it has one. */
export function findManagedMariadbPool(pool: object): MariadbManagedPool | undefined {
  return isMariadbPool(pool) ? (pool as Managed)[MANAGED] : undefined;
}
