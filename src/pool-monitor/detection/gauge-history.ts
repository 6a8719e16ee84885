import type { ManagedPool } from '../../connection/index.js';
import type { GaugeSample } from '../view.js';

const EVERY_MS = 10_000;
/** An hour. */
const MOST = 360;

/** The gauges of each pool over the last hour. */
export class GaugeHistory {
  readonly #samples = new Map<string, GaugeSample[]>();
  #sinceMs = EVERY_MS;

  sample(
    elapsedMs: number,
    at: number,
    pools: readonly { readonly name: string; readonly pool: ManagedPool }[],
  ): void {
    this.#sinceMs += elapsedMs;
    if (this.#sinceMs < EVERY_MS) return;
    this.#sinceMs = 0;
    const names = new Set(pools.map(({ name }) => name));
    for (const name of this.#samples.keys()) if (!names.has(name)) this.#samples.delete(name);
    for (const { name, pool } of pools) {
      const samples = this.#samples.get(name) ?? [];
      samples.push({ at, ...pool.counts() });
      if (samples.length > MOST) samples.shift();
      this.#samples.set(name, samples);
    }
  }

  /** Oldest first. */
  of(pool: string): readonly GaugeSample[] {
    return [...(this.#samples.get(pool) ?? [])];
  }
}
