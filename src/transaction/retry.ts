import { codeOf, describeError, errorChain, getLogger } from '../core/index.js';
import { CommitOutcomeUnknownError, ShutdownError } from './errors.js';
import type { ParsedRetry } from './options.js';
import { holds } from './predicate.js';
import type { Transaction } from './transaction.js';
import type { TransactionGroup } from './transaction-group.js';

/** The pause before the method is run again after the error of this attempt; `undefined` when it is not. */
export function pauseBeforeRepeat(
  error: unknown,
  { name, attempt, retry }: { name: string; attempt: number; retry: ParsedRetry },
  unit: Transaction | TransactionGroup,
): number | undefined {
  if (!isRetryable(error, retry, unit)) return undefined;
  const { attempts } = retry;
  const about = { transaction: name, attempt, attempts, error: describeError(error) };
  if (attempt >= attempts) {
    getLogger().warn(
      about,
      `holdfast: "${name}" failed in attempt ${attempt} of ${attempts} and is not run again; its caller gets this error`,
    );
    return undefined;
  }
  const pauseMs = pauseAfter(attempt, retry);
  getLogger().info(
    { ...about, delayMs: Math.round(pauseMs) },
    `holdfast: "${name}" failed in attempt ${attempt} of ${attempts} and is run again`,
  );
  return pauseMs;
}

function isRetryable(
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

/** Two that deadlocked must not meet again at the same moment: anywhere in the upper half of the pause. */
function pauseAfter(attempt: number, { backoffMs, maxBackoffMs }: ParsedRetry): number {
  const longest = Math.min(maxBackoffMs, backoffMs * 2 ** (attempt - 1));
  return longest * (0.5 + Math.random() / 2);
}

/** Waits before the run of `next`. Rejects when that transaction is ended meanwhile. */
export async function pause(pauseMs: number, next: Transaction | TransactionGroup): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, pauseMs);
  });
  try {
    await next.orAborted(over);
  } finally {
    clearTimeout(timer);
  }
}
