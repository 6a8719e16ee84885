import { describeError, getLogger, HoldfastError } from '../core/index.js';
import type { CommitAnswer, ManagedPool } from '../connection/index.js';
import { CommitFailedError, CommitOutcomeUnknownError } from './errors.js';

/** The transaction whose COMMIT got no answer. */
interface Unanswered {
  readonly name: string;
  readonly readOnly: boolean;
  readonly pool: ManagedPool;
}

/** Finds out what became of a COMMIT that got no answer: `undefined` when it is committed, else the error to throw. */
export async function settleCommit(
  { error, transactionId }: CommitAnswer & { kind: 'unknown' },
  { name, readOnly, pool }: Unanswered,
): Promise<CommitFailedError | CommitOutcomeUnknownError | undefined> {
  // The server saw to it that nothing was written, so there was nothing to commit.
  if (!transactionId && readOnly) return undefined;
  const outcome = transactionId ? await pool.settle(transactionId) : 'unknown';
  getLogger().warn(
    { transaction: name, transactionId, outcome, error: describeError(error) },
    `holdfast: the connection was lost during COMMIT of "${name}"; outcome: ${outcome}`,
  );
  if (outcome === 'committed') return undefined;
  const why =
    error instanceof HoldfastError ? `it was given up (${error.code}, see the cause)` : error.message;
  const what = `The connection was lost while "${name}" waited for the answer to COMMIT: ${why}.`;
  if (outcome === 'aborted') {
    const message = `${what} The server says that it was not committed; run it again.`;
    return new CommitFailedError(message, { cause: error, retryable: true });
  }
  return new CommitOutcomeUnknownError(
    `${what} It may or may not be committed. ${pool.dialect.howToSettle(transactionId)}`,
    {
      cause: error,
      transactionId: transactionId ?? undefined,
    },
  );
}
