import { describeError, type Dialect, getLogger, HoldfastError } from '../core/index.js';
import {
  type CommitAnswer,
  ConnectionLostError,
  type ManagedPool,
  type Session,
} from '../connection/index.js';
import { CommitFailedError, CommitOutcomeUnknownError, type Outcomes, PartialCommitError } from './errors.js';

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
    error instanceof HoldfastError
      ? `it was given up (${error.code}, see the cause)`
      : error.message.replace(/\.$/, '');
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

/** Lets the server say now why it would refuse the COMMIT. A connection that does not answer is lost before anything is committed. */
export async function checkCommit(
  session: Session,
  { name, dialect }: { name: string; dialect: Dialect },
): Promise<void> {
  try {
    await session.control(dialect.checkBeforeCommit);
  } catch (error) {
    throw session.lost ? lostBeforeCommit(name, error) : error;
  }
}

export function lostBeforeCommit(name: string, cause: unknown): ConnectionLostError {
  return new ConnectionLostError(
    `The connection of "${name}" was lost before its COMMIT was sent, so nothing is committed; run it again.`,
    { cause, retryable: true },
  );
}

/** Says what is where, after the COMMIT on `failedAt`, of a method over several data sources. */
export function partialCommit(
  cause: unknown,
  { name, failedAt, committed, rolledBack, unknown }: { name: string; failedAt: string } & Outcomes,
): PartialCommitError {
  const listed = (names: readonly string[]): string => names.map((each) => `"${each}"`).join(', ');
  const states = [
    committed.length > 0 && `committed on ${listed(committed)}`,
    unknown.length > 0 && `perhaps committed on ${listed(unknown)}`,
    rolledBack.length > 0 && `rolled back on ${listed(rolledBack)}`,
  ].filter(Boolean);
  const missing = [...unknown, ...rolledBack];
  const inquiry =
    unknown.length > 0 ? `Find out first what became of ${listed(unknown)}, as the cause says. ` : '';
  const repair =
    committed.length > 0
      ? `Do what is missing on ${listed(missing)}, or undo what is done on ${listed(committed)}. `
      : '';
  return new PartialCommitError(
    `The work of "${name}" is ${states.join(', ')}: its COMMIT on "${failedAt}" ${unknown.length > 0 ? 'got no answer' : 'failed'}, see the cause. ` +
      `${inquiry}${repair}Run the method again as a whole only if doing its work twice does no harm.`,
    { cause, committed, rolledBack, unknown },
  );
}
