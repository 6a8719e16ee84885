import type { DataSource } from 'typeorm';
import { invalid, readBoolean, type Reader, readOptions, readString, withDefault } from '../core/index.js';
import {
  addSourceFinder,
  DEFAULT_SOURCE,
  DuplicateDataSourceError,
  unmanagePool,
} from '../connection/index.js';
import { runOutsideTransaction } from '../transaction/index.js';
import { manageDataSource } from '../typeorm/index.js';
import { type AddedDataSource, state } from './state.js';

/** The name that a data source was added under. */
export type DataSourceName = string;

/** What {@link addTransactionalDataSource} takes beside a bare DataSource. */
export interface AddTransactionalDataSourceInput {
  /** Default: `default`. */
  name?: DataSourceName;
  dataSource: DataSource;
  /** `false`: what the application asks of `dataSource.query()` itself stays outside of transactions. Default: true. */
  patch?: boolean;
}

const readDataSource: Reader<DataSource> = (value, path) => {
  const { initialize, createQueryRunner } = (value ?? {}) as Partial<DataSource>;
  if (typeof initialize !== 'function' || typeof createQueryRunner !== 'function')
    throw invalid(path, value, 'a TypeORM DataSource');
  return value as DataSource;
};

/**
 * Puts a DataSource under holdfast's management: at once when it is initialised, and else as soon as it is. Answers
 * the DataSource. A name whose data source is not initialised (any more) can be given again, as Nest does when it tries to
 * connect once more; the one that had it cannot be initialised then.
 *
 * Throws `DuplicateDataSourceError` when a data source that is initialised, or is about to be, has the name, `UnsupportedDriverError` for another
 * database than `manageDataSource` takes (from `initialize()`, when it comes later), and `InvalidOptionsError`.
 *
 * @example
 * ```ts
 * const dataSource = addTransactionalDataSource(new DataSource({ type: 'postgres', url, entities }));
 * await dataSource.initialize();
 * ```
 */
export function addTransactionalDataSource(input: DataSource | AddTransactionalDataSourceInput): DataSource {
  const { name, dataSource, patch } = readOptions<Required<AddTransactionalDataSourceInput>>(
    typeof input === 'object' && input !== null && 'dataSource' in input ? input : { dataSource: input },
    {
      name: withDefault(readString, DEFAULT_SOURCE),
      dataSource: readDataSource,
      patch: withDefault(readBoolean, true),
    },
    'addTransactionalDataSource input',
  );
  const known = state.dataSources.get(name);
  if (known?.dataSource === dataSource) return dataSource;
  if (known?.dataSource.isInitialized || known?.isInitialising) throw duplicate(name);
  if (known) known.isDisplaced = true;
  const added: AddedDataSource = { dataSource, managed: false, isInitialising: false, isDisplaced: false };
  if (dataSource.isInitialized) manage(name, added);
  else manageOnceInitialised(name, added);
  if (!patch) keepQueriesOutside(dataSource);
  state.dataSources.set(name, added);
  // One that was being initialised when it was added is found when its first transaction begins.
  state.stopFinding ??= addSourceFinder((wanted) => {
    const late = state.dataSources.get(wanted);
    if (late) manage(wanted, late);
  });
  return dataSource;
}

/**
 * The data source that was added under `name`.
 *
 * @example
 * ```ts
 * const dataSource = getDataSourceByName('default');
 * ```
 */
export function getDataSourceByName(name: DataSourceName): DataSource | undefined {
  return state.dataSources.get(name)?.dataSource;
}

/**
 * Forgets a data source, which is then no longer managed. Transactions that run on it are not waited for. Answers
 * whether there was one.
 *
 * @example
 * ```ts
 * afterAll(() => deleteDataSourceByName('default'));
 * ```
 */
export function deleteDataSourceByName(name: DataSourceName): boolean {
  const added = state.dataSources.get(name);
  if (!added) return false;
  state.dataSources.delete(name);
  const { dataSource, managed } = added;
  if (managed && dataSource.isInitialized) unmanagePool(manageDataSource(dataSource).primary);
  return true;
}

function duplicate(name: string): DuplicateDataSourceError {
  return new DuplicateDataSourceError(
    `A data source was already added under the name "${name}". Give each its own: ` +
      `addTransactionalDataSource({ name: '…', dataSource }), or deleteDataSourceByName('${name}') first.`,
  );
}

function manage(name: string, added: AddedDataSource): void {
  manageDataSource(added.dataSource, { name });
  added.managed = true;
}

function manageOnceInitialised(name: string, added: AddedDataSource): void {
  const { dataSource } = added;
  const original = dataSource.initialize.bind(dataSource);
  const initialize = async (): Promise<DataSource> => {
    // Its transactions would be those of the other one, and its own work would be in none.
    if (added.isDisplaced) throw duplicate(name);
    added.isInitialising = true;
    try {
      await original();
    } finally {
      added.isInitialising = false;
    }
    // From then on `manageDataSource` sees to it that a later pool is managed as well.
    if (added.managed || state.dataSources.get(name) !== added) return dataSource;
    try {
      manage(name, added);
    } catch (error) {
      await dataSource.destroy();
      throw error;
    }
    return dataSource;
  };
  Object.defineProperty(dataSource, 'initialize', { value: initialize, configurable: true, writable: true });
}

/** An EntityManager and a repository ask through `dataSource.query()` as well, and name their QueryRunner, if only as undefined. */
function keepQueriesOutside(dataSource: DataSource): void {
  const original = dataSource.query.bind(dataSource) as (...args: unknown[]) => Promise<unknown>;
  const query = (...args: unknown[]): Promise<unknown> =>
    args.length < 3 ? runOutsideTransaction(() => original(...args)) : original(...args);
  Object.defineProperty(dataSource, 'query', { value: query, configurable: true, writable: true });
}
