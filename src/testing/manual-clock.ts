import { type Clock, invalid, type Timer } from '../core/index.js';

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * A clock that a test moves by hand, for everything in holdfast that takes a `clock`.
 *
 * @example
 * ```ts
 * const clock = new ManualClock();
 * managePool(pool, { clock });
 * clock.advance(30_000);
 * ```
 */
export class ManualClock implements Clock {
  #now = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();

  now(): number {
    return this.#now;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const pending = { at: this.#now + delayMs, order: this.#order++, callback };
    this.#pending.add(pending);
    return { clear: () => void this.#pending.delete(pending) };
  }

  /**
   * Moves the time on by `byMs` milliseconds and fires what becomes due, in order, each at its own time. A timer that
   * throws ends the move. Throws `InvalidOptionsError` for less than 0 ms.
   */
  advance(byMs: number): void {
    if (!(byMs >= 0)) throw invalid('advance(byMs)', byMs, 'a number of milliseconds from 0 on');
    const end = this.#now + byMs;
    for (let next = this.#nextUntil(end); next; next = this.#nextUntil(end)) {
      this.#pending.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = Math.max(this.#now, end);
  }

  #nextUntil(end: number): Pending | undefined {
    return [...this.#pending]
      .filter(({ at }) => at <= end)
      .sort((a, b) => a.at - b.at || a.order - b.order)[0];
  }
}
