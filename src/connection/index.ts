export {
  findManagedPool,
  managedPool,
  managePool,
  manageReplica,
  preparePool,
  unmanagePool,
} from './manage-pool.js';
export type { ManageablePool, ManagePoolOptions } from './manage-pool.js';
export type { ManagedPool, ManagedSource, PoolCounts, TransactionLease } from './managed-pool.js';
export type { PgPoolLike } from './drivers/pg/pg-types.js';
export type { LeaseInfo, LeaseKind, LeaseObserver, LeaseRequest } from './lease.js';
export type { AmbientScope, ManualOpening, ManualSavepoint, SessionWork } from './ambient-scope.js';
export { HandWrittenTransactions } from './hand-written.js';
export type { CommitAnswer, Session, SessionStatus } from './session.js';
export {
  ambientScope,
  currentFrame,
  detachFrame,
  frameOf,
  innermostFrame,
  runInFrame,
  scopeInFrame,
} from './context.js';
export type { Frame } from './context.js';
export { addSourceFinder, choosePool, DEFAULT_SOURCE, resolveSource, unregisterSource } from './registry.js';
export { runningTransactions } from './running-transactions.js';
export type { RunningTransaction } from './running-transactions.js';
export {
  AcquireTimeoutError,
  ConnectionLostError,
  DuplicateDataSourceError,
  LeaseReleasedError,
  PoolEndedError,
  SelfDeadlockError,
  StaleLeaseError,
  TransactionControlError,
  UnknownDataSourceError,
  UnsupportedDriverError,
} from './errors.js';
