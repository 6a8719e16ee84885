/** Waits that are kept: of a pool that lends faster, the latest. */
const MOST = 1024;

interface Wait {
  readonly at: number;
  readonly ms: number;
}

/** The waits for a connection of the last while. */
export class WaitTimes {
  readonly #spanMs: number;
  #waits: Wait[] = [];

  constructor(spanMs: number) {
    this.#spanMs = spanMs;
  }

  add(ms: number, now: number): void {
    this.#waits.push({ at: now, ms });
    // Twice as many before any is dropped: dropping them one by one would move the whole list each time.
    if (this.#waits.length >= 2 * MOST) this.#waits = this.#waits.slice(-MOST);
  }

  /** The 95th percentile, in milliseconds; 0 with fewer than `least` waits. */
  p95(now: number, least: number): number {
    this.#waits = this.#waits.filter(({ at }) => now - at <= this.#spanMs);
    if (this.#waits.length < Math.max(least, 1)) return 0;
    const sorted = this.#waits.map(({ ms }) => ms).sort((a, b) => a - b);
    return sorted[Math.ceil(sorted.length * 0.95) - 1]!;
  }
}
