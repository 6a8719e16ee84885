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
