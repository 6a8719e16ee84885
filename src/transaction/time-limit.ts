import { systemClock, type Timer } from '../core/index.js';

/** The time that one call has. */
export class TimeLimit {
  readonly #end: number;
  readonly #timer: Timer;
  #pass: (() => void) | undefined;

  /** Calls `onPassed` once, when `limitMs` milliseconds from now are over. */
  constructor(limitMs: number, onPassed: () => void) {
    this.#pass = onPassed;
    this.#end = systemClock.now() + limitMs;
    this.#timer = systemClock.setTimer(() => this.#passed(), limitMs);
  }

  /** Looks at the clock: a method that does not yield keeps the timer from having its turn. */
  enforce(): void {
    if (systemClock.now() >= this.#end) this.#passed();
  }

  /** Ends it: from now on it does nothing. */
  clear(): void {
    this.#pass = undefined;
    this.#timer.clear();
  }

  #passed(): void {
    const pass = this.#pass;
    this.clear();
    pass?.();
  }
}

/**
 * Settles as `work` does; what settles after `limit` has passed is too late, whether the timer has had its turn or not.
 * Until then `rejecters` holds what rejects it.
 */
export function settledInTime<T>(
  work: PromiseLike<T>,
  rejecters: ((error: Error) => void)[],
  limit: TimeLimit | undefined,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    rejecters.push(reject);
    const ended = (): void => {
      limit?.enforce();
      // The last to come is mostly the first to go.
      rejecters.splice(rejecters.lastIndexOf(reject), 1);
    };
    work.then(
      (value) => (ended(), resolve(value)),
      (error: Error) => (ended(), reject(error)),
    );
  });
}
