import type { DataSource } from 'typeorm';
import { readOptions, readString, withDefault } from '../core/index.js';
import {
  type ManagedPool,
  type PoolWatcher,
  preparePool,
  UnsupportedDriverError,
} from '../connection/index.js';
import { poolsOf } from './driver-pools.js';

/** Options of {@link watchDataSource}. */
export interface WatchDataSourceOptions {
  /** The pool's name in reports. Default: `default`; replicas are `<name>/replica-1` and so on. */
  readonly name?: string;
}

/**
 * Lets a pool monitor watch the pools of a TypeORM DataSource without `@Transactional()`: its QueryRunners, made by hand or
 * by repositories, behave as before. Before `initialize()` as well as after it, and again after each further one. A data
 * source that `manageDataSource` has taken is watched by every monitor already. The returned function ends it.
 *
 * Throws `UnsupportedDriverError` for another database than PostgreSQL, MySQL or MariaDB, `InvalidOptionsError` for wrong
 * options.
 *
 * @example
 * ```ts
 * const monitor = createPoolMonitor({ service: 'orders' }).start();
 * watchDataSource(monitor, dataSource);
 * ```
 */
export function watchDataSource(
  monitor: PoolWatcher,
  dataSource: DataSource,
  options?: WatchDataSourceOptions,
): () => void {
  const { name } = readOptions<{ name: string }>(
    options,
    { name: withDefault(readString, 'default') },
    'watchDataSource options',
  );
  if (!['postgres', 'mysql', 'mariadb'].includes(dataSource.options.type)) {
    throw new UnsupportedDriverError(
      `watchDataSource takes a DataSource of PostgreSQL, MySQL or MariaDB; this one is of ${dataSource.options.type}, whose driver has no pool.`,
    );
  }
  const { clock } = monitor;
  const stop = monitor.watchSource((): readonly ManagedPool[] => {
    const pools = dataSource.isInitialized ? poolsOf(dataSource) : undefined;
    if (!pools) return [];
    return [
      preparePool(pools.primary, { name, clock }),
      ...pools.replicas.map((pool, index) =>
        preparePool(pool, { name: `${name}/replica-${index + 1}`, clock }),
      ),
    ];
  });
  // What is taken right after initialize() must not be taken before the monitor's next look.
  const before = Object.getOwnPropertyDescriptor(dataSource, 'initialize');
  const initialize = dataSource.initialize.bind(dataSource);
  const watched = async (): Promise<DataSource> => {
    const initialized = await initialize();
    monitor.adoptNow();
    return initialized;
  };
  dataSource.initialize = watched;
  return () => {
    stop();
    if (dataSource.initialize !== watched) return;
    if (before) Object.defineProperty(dataSource, 'initialize', before);
    else Reflect.deleteProperty(dataSource, 'initialize');
  };
}
