import { AcquireTimeoutError } from './errors.js';
import type { PoolCounts } from './managed-pool.js';

/** A pool whose connections are all taken. */
interface FullPool {
  readonly name: string;
  readonly onlyOne?: string;
  counts(): PoolCounts;
}

/** The error of whoever waited in vain. `why` is what ended the wait. */
export function acquireTimeout(
  pool: FullPool,
  { holder, why, cause }: { holder: string | undefined; why: string; cause: unknown },
): AcquireTimeoutError {
  const { max, inUse, idle, pending } = pool.counts();
  const remedy = pool.onlyOne ? `: ${pool.onlyOne}.` : ", or raise the pool's max.";
  return new AcquireTimeoutError(
    `${holder ? `"${holder}"` : 'A statement'} got no connection of pool "${pool.name}" in time: ${why.replaceAll(/\s*\n\s*/g, ' ')}. ` +
      `In use ${inUse} of ${max}, idle ${idle}, pending ${pending}. Look for what holds the connections${remedy}`,
    { cause, retryable: true },
  );
}

/**
 * The same error with what observers know of the pool, and with the frames of whoever asked: those of the timer that has
 * run out are nobody's place.
 */
export function explainTimeout(
  error: AcquireTimeoutError,
  askedAt: { readonly stack: string } | undefined,
  explanations: readonly string[],
): AcquireTimeoutError {
  if (explanations.length === 0 && !askedAt) return error;
  const { cause } = error;
  const explained = new AcquireTimeoutError([error.message, ...explanations].join('\n'), {
    cause,
    retryable: true,
  });
  if (askedAt) explained.stack = `${explained.name}: ${explained.message}\n${framesOf(askedAt.stack)}`;
  return explained;
}

function framesOf(stack: string): string {
  return stack.slice(stack.indexOf('\n') + 1);
}
