export { getTransactionalContext, initializeTransactionalContext } from './context.js';
export type { TransactionalContext, TypeormTransactionalOptions } from './context.js';
export { addTransactionalDataSource, deleteDataSourceByName, getDataSourceByName } from './data-sources.js';
export type { AddTransactionalDataSourceInput, DataSourceName } from './data-sources.js';
export { runOnTransactionCommit, runOnTransactionComplete, runOnTransactionRollback } from './hooks.js';
export { runInTransaction, Transactional, wrapInTransaction } from './transactional.js';
export type { WrapInTransactionOptions } from './transactional.js';
export { IsolationLevel, Propagation, StorageDriver } from './enums.js';
export { TransactionalError } from './errors.js';
