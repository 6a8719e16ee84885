import { systemClock, type Timer } from '../core/index.js';
import { type Frame, runInFrame } from '../connection/index.js';
import { TransactionTimeoutError } from './errors.js';
import type { ParsedOptions } from './options.js';
import { type CallResult, callWork } from './returned-value.js';
import type { Transaction } from './transaction.js';

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
  readonly timer: Timer | undefined;
}

/** Calls the method in `frame`. Its time counts from here on. */
export function start<T>(call: Call<T>, frame: Frame, transaction: Transaction): StartedCall<T> {
  const timer = startTimer(call, transaction);
  return { result: runInFrame(frame, () => callWork(call.work)), timer };
}

function startTimer({ name, options }: Call<unknown>, transaction: Transaction): Timer | undefined {
  const { timeoutMs } = options;
  if (timeoutMs === undefined) return undefined;
  return systemClock.setTimer(() => {
    transaction.abort(
      new TransactionTimeoutError(
        `"${name}" ran longer than its timeoutMs of ${timeoutMs}. What ran on the server was cancelled and the transaction is rolled back; ` +
          'statements that the method still sends are refused.',
        { cause: transaction.openedAt },
      ),
    );
  }, timeoutMs);
}
