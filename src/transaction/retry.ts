import { codeOf, describeError, errorChain, getLogger } from '../core/index.js';
import { CommitOutcomeUnknownError, ShutdownError } from './errors.js';
import type { ParsedRetry } from './options.js';
import { holds } from './predicate.js';
import type { Transaction } from './transaction.js';
import type { TransactionGroup } from './transaction-group.js';

/** Whether the method is to be run again after this error of a whole transaction. */
export function isRetryable(
  error: unknown,
  { on }: ParsedRetry,
  { committed, dialect }: Transaction | TransactionGroup,
): boolean {
  // What is committed, or may be, must not be done twice; and nothing begins once the application shuts down.
  if (committed || error instanceof CommitOutcomeUnknownError || error instanceof ShutdownError) return false;
  if (!on) return errorChain(error).some((link) => dialect.retryableCodes.has(codeOf(link) ?? ''));
  try {
    return holds(on, error);
  } catch (failure) {
    getLogger().error(
      { error: describeError(failure) },
      'holdfast: a retry.on predicate failed; the transaction is not run again',
    );
    return false;
  }
}

/** Waits before the run that follows on `attempt`. Rejects when the transaction of that run is ended meanwhile. */
export async function pauseAfter(
  attempt: number,
  { backoffMs, maxBackoffMs }: ParsedRetry,
  next: Transaction | TransactionGroup,
): Promise<void> {
  const longest = Math.min(maxBackoffMs, backoffMs * 2 ** (attempt - 1));
  let timer: NodeJS.Timeout | undefined;
  const pause = new Promise<void>((resolve) => {
    // Two that deadlocked must not meet again at the same moment: anywhere in the upper half of the pause.
    timer = setTimeout(resolve, longest * (0.5 + Math.random() / 2));
  });
  try {
    await next.orAborted(pause);
  } finally {
    clearTimeout(timer);
  }
}
