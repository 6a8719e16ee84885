import type { Clock, Timer } from '../../core/index.js';

/** Later than this and the process was busy or asleep: what happened meanwhile is not known. */
const LAG_MS = 500;

/** Calls a sweep at an even pace, on one timer that never holds the process open. */
export class SweepTimer {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #sweep: (elapsedMs: number) => void;
  #last = 0;
  #timer: Timer | undefined;

  /** `sweep` gets the judging time since the last one: a stall of the process counts as one interval, not as idleness. */
  constructor(clock: Clock, everyMs: number, sweep: (elapsedMs: number) => void) {
    this.#clock = clock;
    this.#everyMs = everyMs;
    this.#sweep = sweep;
  }

  start(): void {
    if (this.#timer) return;
    this.#last = this.#clock.now();
    this.#next();
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #next(): void {
    this.#timer = this.#clock.setTimer(() => {
      this.#next();
      const now = this.#clock.now();
      const elapsedMs = now - this.#last;
      this.#last = now;
      // Timers of the application, and answers that have arrived, come behind this one: they are to be heard first.
      if (elapsedMs <= this.#everyMs + LAG_MS) this.#sweep(elapsedMs);
    }, this.#everyMs);
  }
}
