import type { LeaseReport } from './report.js';

/**
 * What the monitor can find. Of a lease: `suspect` (no activity for a while), `leak` (idle for long, its request is over,
 * or certain: its holder was garbage-collected), `long-transaction`, `late-return` (a reported lease came back). Of a
 * release: `dirty-release` (inside a transaction), `double-release`, `stale-use` (used after its release). Of a pool:
 * `exhausted` (full, and callers wait), `pressure` (nearly full for long, or slow to lend), `self-deadlock` (every holder
 * waits for one more connection).
 */
export type FindingKind =
  | 'suspect'
  | 'leak'
  | 'exhausted'
  | 'pressure'
  | 'self-deadlock'
  | 'dirty-release'
  | 'double-release'
  | 'stale-use'
  | 'long-transaction'
  | 'late-return';

/** How bad it is: `info` is for the log, `critical` wakes people. */
export type Severity = 'info' | 'warning' | 'critical';

/** Something wrong with one call site of one pool, from its first sign to its end. */
export interface Finding {
  /** The same for the same kind, pool and call site: what alerts are told apart by, within a service and environment. */
  readonly key: string;
  readonly kind: FindingKind;
  readonly severity: Severity;
  readonly pool: string;
  /** The call site, as in `LeaseReport.site`; `undefined` where it is of the pool as a whole. */
  readonly site: string | undefined;
  /** `certain` cannot be anything else; `likely` is a judgement by thresholds. */
  readonly certainty: 'certain' | 'likely';
  /** `Date.now()` of the first sign. */
  readonly since: number;
  /** What was seen, in one or two sentences, with numbers. */
  readonly evidence: string;
  /** The likely fix, in one or two sentences. */
  readonly advice: string;
  /** The leases it is about, oldest first. */
  readonly leases: readonly LeaseReport[];
  /** How many times it has happened since `since`: leases of the site, double releases … At least 1. */
  readonly count: number;
}

/** A change of what is found. `ended`: how it ended, for a finding that is over. */
export type FindingEvent =
  | { readonly change: 'opened' | 'updated'; readonly finding: Finding }
  | { readonly change: 'closed'; readonly finding: Finding; readonly ended: string };
