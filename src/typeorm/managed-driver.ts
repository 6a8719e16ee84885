import { type PgPoolLike, preparePool } from '../connection/index.js';
import { invalid } from '../core/index.js';

/** The part of the `pg` module that TypeORM makes its pools with. */
export interface PgModule {
  readonly Pool: new (...args: never[]) => PgPoolLike;
}

/**
 * The `pg` module for TypeORM's `driver` option, with pools that are under holdfast's lease tracking from their
 * first acquire, which `manageDataSource` alone cannot see. Call `manageDataSource` after `initialize()` as well.
 * `initialize()` then throws `UnsupportedDriverError` when this `pg` is older than 8.21. Throws `InvalidOptionsError` for
 * what is not the module.
 *
 * @example
 * ```ts
 * import pg from 'pg';
 * const dataSource = new DataSource({ type: 'postgres', url, driver: managedDriver(pg), entities });
 * await dataSource.initialize();
 * manageDataSource(dataSource);
 * ```
 */
export function managedDriver<D extends PgModule>(pg: D): D {
  if (typeof (pg as D | null | undefined)?.Pool !== 'function')
    throw invalid('managedDriver(pg)', pg, 'the module of pg, with its Pool');
  class ManagedPool extends pg.Pool {
    constructor(...args: never[]) {
      super(...args);
      preparePool(this);
    }
  }
  return Object.create(pg, { Pool: { value: ManagedPool, enumerable: true } }) as D;
}
