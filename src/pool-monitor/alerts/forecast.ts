import type { PoolReport } from '../report.js';

const DAY_MS = 86_400_000;
/** Fewer say nothing about a rate. */
const LEAST_LEAKS = 3;

/**
 * When the pool will be full if connections go on leaking as they did: at the earliest and at the latest, in
 * milliseconds from now. `undefined` where that cannot be told: too few leaks, all at one moment, a pool that is full
 * already, or more than a day to go.
 *
 * What leaks, leaked when it was lent; a lease too young to be judged is not counted yet, so the time since the last one
 * may belong to the rate or not. The other width of the range is the spread of a count, which is its root. What is in use
 * besides is taken to stay in use.
 */
export function forecastFull(pool: PoolReport): readonly [number, number] | undefined {
  const ages = pool.leases.filter(({ verdict }) => verdict !== undefined).map(({ ageMs }) => ageMs);
  const { max, inUse } = pool.counts;
  if (ages.length < LEAST_LEAKS || inUse >= max) return undefined;
  const oldest = Math.max(...ages);
  const between = oldest - Math.min(...ages);
  if (between < 1000) return undefined;
  const steps = ages.length - 1;
  const earliest = ((max - inUse) * between) / (steps + Math.sqrt(steps));
  const latest = ((max - inUse) * oldest) / (steps - Math.sqrt(steps));
  return earliest > DAY_MS ? undefined : [earliest, latest];
}

/** The soonest of several pools: each process has its own. */
export function soonest(
  ranges: readonly (readonly [number, number] | undefined)[],
): readonly [number, number] | undefined {
  return ranges.reduce(
    (first, range) => (!first || (range && range[0] < first[0]) ? range : first),
    undefined,
  );
}
