import type { DriverPoolOptions } from '../../driver-pool.js';
import { PoolEndedError, UnsupportedDriverError } from '../../errors.js';
import { PgManagedPool } from './pg-pool.js';
import type { PgPool } from './pg-types.js';

const MANAGED = Symbol.for('holdfast.managed-pool/1');

/** Whether the object has the shape of pg-pool's `Pool`. */
export function isPgPool(pool: unknown): pool is PgPool {
  const { connect, query, end, Client, totalCount } = (pool ?? {}) as Record<string, unknown>;
  return (
    [connect, query, end, Client].every((part) => typeof part === 'function') &&
    typeof totalCount === 'number'
  );
}

/** The management of this pool, made at the first call. The registered symbol makes it one for both package copies. */
export function managePgPool(
  pool: PgPool & { [MANAGED]?: PgManagedPool },
  options: Omit<DriverPoolOptions, 'onUnwrap'>,
): PgManagedPool {
  const { name } = options;
  if (pool.ending) {
    throw new PoolEndedError(`The pool given as "${name}" has ended; manage a new one.`);
  }
  if (pool[MANAGED]) return pool[MANAGED];
  if (
    typeof (pool.Client.prototype as { getTransactionStatus?: unknown }).getTransactionStatus !== 'function'
  ) {
    throw new UnsupportedDriverError(
      `The pool given as "${name}" has a client without getTransactionStatus(): it needs pg 8.21 or newer (npm install pg@^8.21), ` +
        'and the JavaScript client, not pg.native.',
    );
  }
  const onUnwrap = (): boolean => Reflect.deleteProperty(pool, MANAGED);
  const managed = new PgManagedPool(pool, { ...options, onUnwrap });
  Object.defineProperty(pool, MANAGED, { value: managed, configurable: true });
  return managed;
}

/** The management of this pool, where it has one. */
export function findManagedPgPool(pool: { [MANAGED]?: PgManagedPool }): PgManagedPool | undefined {
  return pool[MANAGED];
}
