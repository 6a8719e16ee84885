export {
  findManagedPool,
  managedPool,
  managePool,
  manageReplica,
  preparePool,
  unmanagePool,
} from './manage-pool.js';
export type { ManageablePool, ManagePoolOptions } from './manage-pool.js';
export type {
  IdleLimits,
  ManagedPool,
  ManagedSource,
  PoolCounts,
  TransactionHolder,
  TransactionLease,
  TransactionStep,
} from './managed-pool.js';
export { openBeside } from './open-beside.js';
export type { SideConnection, SideConnectionOptions, SideNotification, SideRow } from './side-connection.js';
export { findManagedSqlite, manageSqlite, manageSqliteOpener } from './manage-sqlite.js';
export type { ManageSqliteOptions } from './manage-sqlite.js';
export type { SqlitePool } from './drivers/sqlite/sqlite-pool.js';
export type { SqliteTransactionClient } from './drivers/sqlite/sqlite-transaction-client.js';
export { isInTransaction } from './drivers/sqlite/sqlite-types.js';
export type { SqliteDatabase } from './drivers/sqlite/sqlite-types.js';
export { corePoolOf } from './drivers/mysql2/core-pool.js';
export { isMysql2Pool } from './drivers/mysql2/manage-mysql2-pool.js';
export type { PgPoolLike } from './drivers/pg/pg-types.js';
export type { LeaseEnd, LeaseInfo, LeaseKind, LeaseObserver, LeaseRequest, LeaseUsage } from './lease.js';
export type { PoolSupplier, PoolWatcher } from './pool-watcher.js';
export { allowHeld, currentRequest, openRequest, runInRequest, withCallSite } from './app-request.js';
export type { AppRequest, OpenRequest } from './app-request.js';
export type {
  AmbientScope,
  ManualOpening,
  ManualSavepoint,
  NamedSavepoint,
  SessionWork,
} from './ambient-scope.js';
export { runWork } from './ambient-scope.js';
export { HandWrittenTransactions } from './hand-written.js';
export type { HandWords } from './hand-written.js';
export type { CommitAnswer, Session, SessionStatus } from './session.js';
export {
  ambientScope,
  currentFrame,
  detachFrame,
  frameOf,
  innermostFrame,
  NO_SOURCE,
  runInEndOf,
  runInFrame,
  scopeInFrame,
  useContextStorage,
} from './context.js';
export type { ContextStorage, Frame } from './context.js';
export {
  addSourceFinder,
  choosePool,
  DEFAULT_SOURCE,
  isShuttingDown,
  markShuttingDown,
  onServing,
  quoted,
  registeredNames,
  registeredSource,
  registerSource,
  resolveSource,
  unregisterSource,
} from './registry.js';
export { runningTransactions } from './running-transactions.js';
export type { RunningTransaction } from './running-transactions.js';
export { currentSharing, frameNaming, setSharing, Sharing } from './sharing.js';
export { UNSHAREABLE } from './shared-transaction.js';
export type { SharedEnd, SharedTransaction, SharingOptions, Unshareable } from './shared-transaction.js';
export {
  AcquireTimeoutError,
  ConnectionLostError,
  DuplicateDataSourceError,
  LeaseReclaimedError,
  LeaseReleasedError,
  PoolEndedError,
  SelfDeadlockError,
  StaleLeaseError,
  TestTransactionError,
  TransactionControlError,
  UnknownDataSourceError,
  UnsupportedDriverError,
} from './errors.js';
