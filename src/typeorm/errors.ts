import { HoldfastError } from '../core/index.js';

/** `manageDataSource` was called before `dataSource.initialize()` had resolved: there is no pool to manage yet. */
export class DataSourceNotInitializedError extends HoldfastError {
  static readonly code = 'DATA_SOURCE_NOT_INITIALIZED';
  readonly code = DataSourceNotInitializedError.code;
}
