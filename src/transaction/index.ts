export { runInTransaction, transactional, Transactional } from './transactional.js';
export type { AsyncMethod, TransactionalDecorator } from './transactional.js';
export { parseTransactionOptions } from './options.js';
export type { ErrorMatcher, RetryOptions, TransactionOptions } from './options.js';
export type { Propagation } from './propagation.js';
export { runCall } from './runner.js';
export {
  afterCommit,
  afterCompletion,
  afterRollback,
  beforeCommit,
  currentTransaction,
  runOutsideTransaction,
} from './current.js';
export type { CurrentTransaction } from './current.js';
export { Hooks } from './hooks.js';
export type { Completion, CompletionHook, Hook, RollbackHook } from './hooks.js';
export { DEFAULT_SHUTDOWN_TIMEOUT_MS, shutDown, ShutdownDeadline } from './shutdown.js';
export type { Participant } from './participants.js';
export type { Transaction, TransactionScope } from './transaction.js';
export {
  CommitFailedError,
  CommitOutcomeUnknownError,
  IsolationMismatchError,
  PartialCommitError,
  PropagationError,
  ReadOnlyMismatchError,
  SavepointOrderError,
  ShutdownError,
  TransactionClosedError,
  TransactionTimeoutError,
  UnexpectedRollbackError,
  UnsupportedReturnError,
} from './errors.js';
