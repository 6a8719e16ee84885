export { isManagedDataSource, manageDataSource } from './manage-data-source.js';
export type { ManageDataSourceOptions } from './manage-data-source.js';
export { managedDriver } from './managed-driver.js';
export type { PgModule } from './managed-driver.js';
export { watchDataSource } from './watch-data-source.js';
export type { WatchDataSourceOptions } from './watch-data-source.js';
export { DataSourceNotInitializedError } from './errors.js';
