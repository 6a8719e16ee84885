/** A timer that was started by a {@link Clock}. */
export interface Timer {
  /** Stops the timer; a timer that fired already is left alone. */
  clear(): void;
}

/**
 * Where holdfast takes its time from. Tests hand in `ManualClock` of `holdfast/testing`, so that no test waits
 * for a threshold.
 */
export interface Clock {
  /** Monotonic milliseconds; only differences mean something. */
  now(): number;
  /** Runs `callback` once after `delayMs` milliseconds. The timer never holds the process open. */
  setTimer(callback: () => void, delayMs: number): Timer;
}

/** The process's own clock: `performance.now()` and unref'd `setTimeout`. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer(callback, delayMs) {
    const timeout = setTimeout(callback, delayMs);
    timeout.unref();
    return { clear: () => clearTimeout(timeout) };
  },
};

/** Resolves after `delayMs` milliseconds of the given clock. Holds the process open while a system clock runs. */
export function delay(clock: Clock, delayMs: number): Promise<void> {
  if (clock === systemClock) return new Promise((resolve) => setTimeout(resolve, delayMs));
  return new Promise((resolve) => void clock.setTimer(resolve, delayMs));
}

/** Resolves when `work` has settled, either way, or after `limitMs` milliseconds of the given clock. Never rejects. */
export function settledWithin(clock: Clock, limitMs: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(resolve, limitMs);
    const stop = (): void => {
      timer.clear();
      resolve();
    };
    work.then(stop, stop);
  });
}
