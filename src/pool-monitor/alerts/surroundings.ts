import type { Clock } from '../../core/index.js';

/** Time and chance, which tests hand in. */
export interface Surroundings {
  /** For intervals and timers. */
  readonly clock: Clock;
  /** Milliseconds as of `Date.now()`: for what people read, and for quiet hours. */
  readonly wallClock: () => number;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
}
