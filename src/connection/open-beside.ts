import { keepMariadbConnection } from './drivers/mariadb/mariadb-side-connection.js';
import { isMariadbPool } from './drivers/mariadb/manage-mariadb-pool.js';
import { corePoolOf } from './drivers/mysql2/core-pool.js';
import { isMysql2Pool } from './drivers/mysql2/manage-mysql2-pool.js';
import { openMysql2Beside } from './drivers/mysql2/mysql2-side-connection.js';
import type { MysqlPool } from './drivers/mysql2/mysql2-types.js';
import { isPgPool } from './drivers/pg/manage-pg-pool.js';
import { openPgBeside } from './drivers/pg/pg-side-connection.js';
import { UnsupportedDriverError } from './errors.js';
import { findManagedPool, type ManageablePool } from './manage-pool.js';
import type { SideConnection, SideConnectionOptions } from './side-connection.js';

/**
 * Opens a connection to the server of any driver pool, managed or not, with the pool's own options, which the pool does not
 * count. One of the mariadb connector lends one of its own for good instead. Rejects with the driver's error, and with
 * {@link UnsupportedDriverError} for what is no such pool.
 */
export function openBeside(pool: ManageablePool, options: SideConnectionOptions): Promise<SideConnection> {
  const managed = findManagedPool(pool);
  const given: unknown = pool;
  if (managed?.openBeside) return managed.openBeside(options);
  if (isPgPool(given)) return openPgBeside(given, options);
  if (isMysql2Pool(given)) return openMysql2Beside(corePoolOf(given) as MysqlPool, options);
  if (isMariadbPool(given)) return keepMariadbConnection(given, given.getConnection, options);
  return Promise.reject(
    new UnsupportedDriverError(
      'A connection of the monitor opens through a pg.Pool, or a pool of mysql2 or mariadb; this is none of them.',
    ),
  );
}
