import { HoldfastError } from '../core/index.js';

/** No managed pool or data source has this name, or none any longer. The message lists the names that exist. */
export class UnknownDataSourceError extends HoldfastError {
  static readonly code = 'UNKNOWN_DATA_SOURCE';
  readonly code = UnknownDataSourceError.code;
}

/** Two different pools or data sources were managed under one name, at once or one after the other in one transaction. */
export class DuplicateDataSourceError extends HoldfastError {
  static readonly code = 'DUPLICATE_DATA_SOURCE';
  readonly code = DuplicateDataSourceError.code;
}

/** The object is no pool that holdfast can manage, or its driver is too old for what is asked. */
export class UnsupportedDriverError extends HoldfastError {
  static readonly code = 'UNSUPPORTED_DRIVER';
  readonly code = UnsupportedDriverError.code;
}

/** The pool was ended (or its data source destroyed) before this call. */
export class PoolEndedError extends HoldfastError {
  static readonly code = 'POOL_ENDED';
  readonly code = PoolEndedError.code;
}

/** No connection became free within the driver's own limit (`connectionTimeoutMillis` of pg) or `acquireTimeoutMs` of `managePool`. Retryable. */
export class AcquireTimeoutError extends HoldfastError {
  static readonly code = 'ACQUIRE_TIMEOUT';
  readonly code = AcquireTimeoutError.code;
}

/** `release()` was called a second time on one lease. The connection, and whoever holds it now, is untouched. */
export class LeaseReleasedError extends HoldfastError {
  static readonly code = 'LEASE_RELEASED';
  readonly code = LeaseReleasedError.code;
}

/** A client was used after its release, while its connection belongs to another holder. Nothing was sent. */
export class StaleLeaseError extends HoldfastError {
  static readonly code = 'STALE_LEASE';
  readonly code = StaleLeaseError.code;
}

/**
 * The pool monitor took a leaked connection back, as it was configured to: it was closed, and the server rolled back
 * what was open. Thrown at its holder's next use; `cause` is where the connection was taken.
 */
export class LeaseReclaimedError extends HoldfastError {
  static readonly code = 'LEASE_RECLAIMED';
  readonly code = LeaseReclaimedError.code;
}

/**
 * Every connection of the pool is held by a transaction that itself waits for one more, of this pool or of another
 * that is stuck likewise, so none can ever be returned. Thrown at once, instead of a hang.
 */
export class SelfDeadlockError extends HoldfastError {
  static readonly code = 'SELF_DEADLOCK';
  readonly code = SelfDeadlockError.code;
}

/**
 * A statement that would begin or end the transaction behind its owner's back: COMMIT or ROLLBACK without a
 * BEGIN of one's own, PREPARE TRANSACTION, a text of several statements that begins with a control statement. Not
 * sent. One that stands behind other statements in one text is noticed only when the server has executed it.
 */
export class TransactionControlError extends HoldfastError {
  static readonly code = 'TRANSACTION_CONTROL';
  readonly code = TransactionControlError.code;
}

/** The connection was lost, or can no longer be trusted, while a transaction held it. The server rolls back. */
export class ConnectionLostError extends HoldfastError {
  static readonly code = 'CONNECTION_LOST';
  readonly code = ConnectionLostError.code;
}

/**
 * Under `rollbackPerTest()`: something that one connection cannot give to all who share it, or that had not ended when
 * the test had. The message says which, and what a test can do.
 */
export class TestTransactionError extends HoldfastError {
  static readonly code = 'TEST_TRANSACTION';
  readonly code = TestTransactionError.code;
}
