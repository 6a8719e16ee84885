import { invalid, optional, readDurationMs, type Reader, readOptions } from '../core/index.js';

/** From when on something is a finding. All durations in milliseconds. */
export interface Thresholds {
  /** A lease without activity is suspect after this long. Default: 30000. */
  readonly suspectAfterMs: number;
  /** A lease without activity is a leak after this long. Default: 120000. */
  readonly leakAfterMs: number;
  /** A lease without activity is a leak this long after its request ended. Default: 5000. */
  readonly leakAfterRequestMs: number;
  /** A full pool with waiting callers is exhausted after this long; an acquire timeout says so at once. Default: 5000. */
  readonly exhaustedAfterMs: number;
  /** The share of `max` in use that is pressure, from above 0 to 1. Default: 0.8. */
  readonly pressureShare: number;
  /** How long that share must last. Default: 60000. */
  readonly pressureAfterMs: number;
  /** The 95th percentile of the waits of the last minute that is pressure as well. Default: 1000. */
  readonly slowWaitMs: number;
  /** A transaction that is open for longer is reported. Default: 60000. */
  readonly longTransactionMs: number;
}

/** The thresholds of a pool that was given no others. */
export const DEFAULT_THRESHOLDS: Thresholds = Object.freeze({
  suspectAfterMs: 30_000,
  leakAfterMs: 120_000,
  leakAfterRequestMs: 5000,
  exhaustedAfterMs: 5000,
  pressureShare: 0.8,
  pressureAfterMs: 60_000,
  slowWaitMs: 1000,
  longTransactionMs: 60_000,
});

/** Thresholds for a pool, for a call site, or for a call site of one pool. */
export interface ThresholdScope {
  /** The pool's name. Default: every pool. */
  readonly pool?: string;
  /** A part of the call site as reports name it, such as `ReportService.export` or `src/jobs/`. Default: every site. */
  readonly site?: string;
}

type Changes = Partial<Thresholds>;

const readShare: Reader<number> = (value, path) => {
  if (typeof value !== 'number' || !(value > 0 && value <= 1))
    throw invalid(path, value, 'a number above 0 and at most 1');
  return value;
};

/** Reads changes once. Throws `InvalidOptionsError`. */
export const readThresholds: Reader<Changes> = (value, path) => {
  const read = readOptions<{ [K in keyof Thresholds]: Thresholds[K] | undefined }>(
    value,
    {
      suspectAfterMs: optional(readDurationMs),
      leakAfterMs: optional(readDurationMs),
      leakAfterRequestMs: optional(readDurationMs),
      exhaustedAfterMs: optional(readDurationMs),
      pressureShare: optional(readShare),
      pressureAfterMs: optional(readDurationMs),
      slowWaitMs: optional(readDurationMs),
      longTransactionMs: optional(readDurationMs),
    },
    path,
  );
  return Object.fromEntries(Object.entries(read).filter(([, given]) => given !== undefined)) as Changes;
};

/** The thresholds in force. Later settings win over earlier ones, those for a site over those for a pool. */
export class ThresholdTable {
  #base: Thresholds = DEFAULT_THRESHOLDS;
  #pools = new Map<string, Changes>();
  #sites: { readonly scope: ThresholdScope & { readonly site: string }; readonly changes: Changes }[] = [];

  set(changes: Changes, scope: ThresholdScope = {}): void {
    const { pool, site } = scope;
    if (site !== undefined) {
      // The same scope is set once: a loop that sets it again and again must not make a list without end.
      this.#sites = this.#sites.filter((known) => known.scope.site !== site || known.scope.pool !== pool);
      this.#sites.push({ scope: { ...scope, site }, changes });
    } else if (pool !== undefined) this.#pools.set(pool, { ...this.#pools.get(pool), ...changes });
    else this.#base = { ...this.#base, ...changes };
  }

  /** Whether any call site has thresholds of its own: only then is its name needed to judge it. */
  get hasSites(): boolean {
    return this.#sites.length > 0;
  }

  of(pool: string, site?: string): Thresholds {
    const ofPool = { ...this.#base, ...this.#pools.get(pool) };
    if (site === undefined) return ofPool;
    return this.#sites
      .filter(({ scope }) => site.includes(scope.site) && (scope.pool ?? pool) === pool)
      .reduce((thresholds, { changes }) => ({ ...thresholds, ...changes }), ofPool);
  }
}
