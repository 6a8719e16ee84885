import { PoolEndedError, UnsupportedDriverError } from '../../errors.js';
import type { DriverPoolOptions } from '../../driver-pool.js';
import { corePoolOf } from './core-pool.js';
import { Mysql2ManagedPool } from './mysql2-pool.js';
import type { MysqlConnection, MysqlPool } from './mysql2-types.js';
import { connectionClassOf } from './recorded-call.js';

const MANAGED = Symbol.for('holdfast.managed-pool/1');
type Managed = MysqlPool & { [MANAGED]?: Mysql2ManagedPool };

/** Whether the object has the shape of a pool of `mysql2` or of `mysql2/promise`. */
export function isMysql2Pool(pool: unknown): pool is object {
  const { getConnection, query, execute, releaseConnection, config } = corePoolOf(pool) as Partial<MysqlPool>;
  return (
    [getConnection, query, execute, releaseConnection].every((part) => typeof part === 'function') &&
    typeof config?.connectionConfig === 'object'
  );
}

/** The management of this pool, made at the first call, whichever of its faces is given. */
export function manageMysql2Pool(
  given: object,
  options: Omit<DriverPoolOptions, 'onUnwrap'>,
): Mysql2ManagedPool {
  const pool = corePoolOf(given) as Managed;
  if (pool._closed)
    throw new PoolEndedError(`The pool given as "${options.name}" has ended; manage a new one.`);
  if (pool[MANAGED]) return pool[MANAGED];
  if (!hasKnownInside(pool)) {
    throw new UnsupportedDriverError(
      `The pool given as "${options.name}" is not built as holdfast knows mysql2 pools: it needs mysql2 3.9 or newer (npm install mysql2@^3).`,
    );
  }
  const onUnwrap = (): boolean => Reflect.deleteProperty(pool, MANAGED);
  const managed = new Mysql2ManagedPool(pool, { ...options, native: given, onUnwrap });
  Object.defineProperty(pool, MANAGED, { value: managed, configurable: true });
  return managed;
}

/** The management of this pool, where it has one. */
export function findManagedMysql2Pool(pool: object): Mysql2ManagedPool | undefined {
  return isMysql2Pool(pool) ? (corePoolOf(pool) as Managed)[MANAGED] : undefined;
}

function hasKnownInside(pool: MysqlPool): boolean {
  const lists = [pool._allConnections, pool._freeConnections, pool._connectionQueue];
  if (!lists.every((list) => typeof (list as { length?: unknown } | undefined)?.length === 'number'))
    return false;
  try {
    const { addCommand, query, execute } = connectionClassOf(pool).prototype as Partial<MysqlConnection>;
    return [addCommand, query, execute].every((part) => typeof part === 'function');
  } catch {
    return false;
  }
}
