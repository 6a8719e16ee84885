import { messageOf } from '../core/index.js';
import { ConnectionLostError, TestTransactionError } from './errors.js';
import type { LeaseInfo } from './lease.js';

/** The loan that a transaction holds its connection by. */
export interface TransactionLoan extends LeaseInfo {
  /** A statement is sent. */
  used?(text: string | undefined, how: 'query' | 'stream'): void;
}

/** Where a connection stands according to the server's last answer. */
export type SessionStatus = 'idle' | 'in transaction' | 'failed' | 'busy';

/** The server's answer to COMMIT. */
export type CommitAnswer =
  | { readonly kind: 'committed' }
  /** The server rolled back, either with an error (a deferred constraint, a serialization failure) or with a ROLLBACK tag. */
  | { readonly kind: 'rolled back'; readonly error: Error | undefined }
  /** COMMIT was sent and the connection was lost before its answer. `transactionId`: `null` when the server said that nothing was written, `undefined` when it could not be learnt. */
  | { readonly kind: 'unknown'; readonly error: Error; readonly transactionId: string | null | undefined };

/** What the server says of a transaction whose COMMIT got no answer. */
export type SettledOutcome = 'committed' | 'aborted' | 'unknown';

/** One physical connection while a transaction holds it, in the verbs that a transaction needs. */
export interface Session {
  /** The server's identifier of the connection (`pg_stat_activity.pid`), where the driver knows it. */
  readonly backendId: number | undefined;
  /** The loan that a transaction holds it by. */
  lease?: TransactionLoan;
  /** Set once the connection is lost or can no longer be trusted; such a connection is destroyed. */
  readonly lost: Error | undefined;
  /** Whether a cursor, a stream or COPY holds the connection: it ends when its reader lets it. */
  readonly streaming: boolean;
  /** Whether a statement ended the transaction by itself, even if it began another one. */
  readonly endedByStatement: boolean;
  /** Why a statement before which the server commits cannot be sent on this connection. Absent: it can. */
  refuseImplicitCommit?(statement: string): Error;
  status(): SessionStatus;
  /** Runs one control statement by itself. */
  control(text: string): Promise<void>;
  commit(): Promise<CommitAnswer>;
  /**
   * Asks the server to cancel what runs on this connection, over a connection of its own. Resolves once the request
   * has arrived, or was given up. Never rejects.
   */
  cancel(): Promise<void>;
  /** Gives the connection up at once: whatever waits for its answer fails with the loss of the connection. */
  abandon(reason: Error): void;
}

/** The error of whatever is asked of a session that is lost. `backend` is what the server calls its side of a connection. */
export function lostError(
  { lease, backendId, lost }: Session,
  backend: 'pid' | 'thread',
): ConnectionLostError {
  const connection = lease ? `The connection of "${lease.holder}" to pool "${lease.pool}"` : 'The connection';
  const why = `${connection} (${backend} ${backendId ?? 'unknown'}) can no longer be used: ${messageOf(lost).replace(/\.$/, '')}.`;
  // What a test has committed by accident no server rolls back, and to run it again does the same.
  if (lost instanceof TestTransactionError)
    return new ConnectionLostError(why, { cause: lost, retryable: false });
  return new ConnectionLostError(`${why} The server rolls the transaction back; run it again.`, {
    cause: lost,
    retryable: true,
  });
}
