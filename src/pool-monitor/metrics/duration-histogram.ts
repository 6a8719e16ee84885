import type { DurationCounts } from '../view.js';

/**
 * In seconds. The semantic conventions of OpenTelemetry advise these for `db.client.operation.duration`; for the durations
 * of a pool they advise none.
 */
export const DURATION_BOUNDS_S: readonly number[] = Object.freeze([
  0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10,
]);

/** Counts durations by bucket: a few comparisons each, and no memory. */
export class DurationHistogram {
  readonly #counts = new Float64Array(DURATION_BOUNDS_S.length + 1);
  #sumMs = 0;

  add(ms: number): void {
    const seconds = ms / 1000;
    let bucket = 0;
    while (bucket < DURATION_BOUNDS_S.length && seconds > DURATION_BOUNDS_S[bucket]!) bucket++;
    this.#counts[bucket]!++;
    this.#sumMs += ms;
  }

  snapshot(): DurationCounts {
    const counts = [...this.#counts];
    const count = counts.reduce((sum, each) => sum + each, 0);
    return { boundsS: DURATION_BOUNDS_S, counts, sumS: this.#sumMs / 1000, count };
  }
}
