import { type Frame, runInFrame } from '../connection/index.js';
import { TransactionTimeoutError } from './errors.js';
import type { ParsedOptions } from './options.js';
import { type CallResult, callWork } from './returned-value.js';
import { graver, type RollbackSeen, sentenceOf } from './rollback-seen.js';
import { TimeLimit } from './time-limit.js';
import type { Transaction } from './transaction.js';
import type { TransactionGroup } from './transaction-group.js';
import { waitedFor } from './waited-for.js';

/** One transactional call. */
export interface Call<T> {
  readonly name: string;
  readonly options: ParsedOptions;
  readonly work: () => T | PromiseLike<T>;
  /**
   * What becomes of a plain value. `wrapped` answers a promise of it. `passed` hands it through as it is, for a
   * synchronous method of a class that is transactional as a whole: it cannot have awaited a statement.
   */
  readonly plainValue: 'wrapped' | 'passed';
  /** The function that the application called. */
  readonly entry: Function;
}

/** A method that has been called inside a transaction. */
export interface StartedCall<T> {
  readonly result: CallResult<T>;
  /** Ends the transaction when the method's time is over, unless it is cleared before. */
  readonly limit: TimeLimit | undefined;
}

/** What a call's time limit ends. */
type Limited = Transaction | TransactionGroup;

/** Calls the method in `frame`. Its time counts from here on. */
export function start<T>(call: Call<T>, frame: Frame, limited: Limited): StartedCall<T> {
  const limit = limitOf(call, limited);
  return { result: runInFrame(frame, () => callWork(call.work)), limit };
}

function limitOf({ name, options }: Call<unknown>, limited: Limited): TimeLimit | undefined {
  const { timeoutMs } = options;
  if (timeoutMs === undefined) return undefined;
  return new TimeLimit(timeoutMs, () => {
    const begin = `"${name}" ran longer than its timeoutMs of ${timeoutMs}. When the time was up, its transaction waited for ${waitedFor(limited)}. `;
    const cause = limited.openedAt;
    if (limited.committing) {
      const committing = 'COMMIT was on its way by then and cannot be taken back.';
      return limited.abort(new TransactionTimeoutError(begin + committing, { cause }));
    }
    let seen: RollbackSeen = 'not yet';
    const error = new TransactionTimeoutError(begin + sentenceOf(seen), { cause });
    limited.abort(error, (next) => {
      const before = sentenceOf(seen);
      seen = graver(seen, next);
      replaceIn(error, { before, after: sentenceOf(seen) });
    });
  });
}

/** Says more in an error that others hold already. */
function replaceIn(error: Error, { before, after }: { before: string; after: string }): void {
  const { message, stack } = error;
  error.message = message.replace(before, after);
  if (typeof stack === 'string') error.stack = stack.replace(before, after);
}
