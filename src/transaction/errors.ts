import { HoldfastError } from '../core/index.js';

/** Work was asked of a transaction that has ended. Nothing was sent. The cause holds the place that opened it. */
export class TransactionClosedError extends HoldfastError {
  static readonly code = 'TRANSACTION_CLOSED';
  readonly code = TransactionClosedError.code;
}

/** The method returned normally, yet its work could not be kept: it is rolled back. The cause holds the reason. */
export class UnexpectedRollbackError extends HoldfastError {
  static readonly code = 'UNEXPECTED_ROLLBACK';
  readonly code = UnexpectedRollbackError.code;
}

/** A method asks to join a transaction whose isolation level is not its own. */
export class IsolationMismatchError extends HoldfastError {
  static readonly code = 'ISOLATION_MISMATCH';
  readonly code = IsolationMismatchError.code;
}

/** A method that may write asks to join a read-only transaction. */
export class ReadOnlyMismatchError extends HoldfastError {
  static readonly code = 'READ_ONLY_MISMATCH';
  readonly code = ReadOnlyMismatchError.code;
}

/** MANDATORY was called outside a transaction, or NEVER inside one. */
export class PropagationError extends HoldfastError {
  static readonly code = 'PROPAGATION';
  readonly code = PropagationError.code;
}

/** The transaction ran longer than its `timeoutMs`, and is rolled back. The message says what it waited for, and whether what ran was cancelled. */
export class TransactionTimeoutError extends HoldfastError {
  static readonly code = 'TRANSACTION_TIMEOUT';
  readonly code = TransactionTimeoutError.code;
}

/** The data source shut down while the transaction ran, which is rolled back, or before it began. Retryable. */
export class ShutdownError extends HoldfastError {
  static readonly code = 'SHUTDOWN';
  readonly code = ShutdownError.code;
}

/** The connection was lost during COMMIT and the server said afterwards that nothing was committed. Retryable. */
export class CommitFailedError extends HoldfastError {
  static readonly code = 'COMMIT_FAILED';
  readonly code = CommitFailedError.code;
}

/** The connection was lost during COMMIT and nobody could say what became of it. Never retried by holdfast. */
export class CommitOutcomeUnknownError extends HoldfastError {
  static readonly code = 'COMMIT_OUTCOME_UNKNOWN';
  readonly code = CommitOutcomeUnknownError.code;
  /** The transaction's id (`pg_current_xact_id()`), where it was learnt: `SELECT pg_xact_status('<id>')` answers while the server remembers it. */
  readonly transactionId: string | undefined;

  constructor(message: string, details: { cause: unknown; transactionId: string | undefined }) {
    super(message, { cause: details.cause });
    this.transactionId = details.transactionId;
  }
}

/**
 * A method over several data sources is committed on some of them and not on others, because a later COMMIT failed or
 * got no answer. The cause is what happened there. Never retried by holdfast.
 */
export class PartialCommitError extends HoldfastError {
  static readonly code = 'PARTIAL_COMMIT';
  readonly code = PartialCommitError.code;
  /** The names of the data sources on which the work is committed. */
  readonly committed: readonly string[];
  /** Those on which nothing of it is kept. */
  readonly rolledBack: readonly string[];
  /** Those whose COMMIT got no answer, so that nobody could say. */
  readonly unknown: readonly string[];

  constructor(message: string, details: { cause: unknown } & Outcomes) {
    super(message, { cause: details.cause });
    this.committed = details.committed;
    this.rolledBack = details.rolledBack;
    this.unknown = details.unknown;
  }
}

/** What became of a method's work, by the names of the data sources. */
export interface Outcomes {
  readonly committed: readonly string[];
  readonly rolledBack: readonly string[];
  readonly unknown: readonly string[];
}

/** A transactional method returned an Observable, a stream or an iterator, whose work would outlive the transaction. */
export class UnsupportedReturnError extends HoldfastError {
  static readonly code = 'UNSUPPORTED_RETURN';
  readonly code = UnsupportedReturnError.code;
}

/** Two hand-written transactions inside one transaction were closed in the wrong order, as happens when they run at once. */
export class SavepointOrderError extends HoldfastError {
  static readonly code = 'SAVEPOINT_ORDER';
  readonly code = SavepointOrderError.code;
}
