import type { FindingEvent } from './finding.js';
import type { MonitorReport } from './report.js';

/** The gauges of one pool at one moment, kept for the last hour. */
export interface GaugeSample {
  /** `Date.now()` of the sample. */
  readonly at: number;
  readonly max: number;
  readonly total: number;
  readonly inUse: number;
  readonly idle: number;
  readonly pending: number;
}

/** An alert that was sent, or could not be. */
export interface SentAlert {
  readonly at: number;
  readonly key: string;
  readonly status: 'firing' | 'resolved';
  readonly title: string;
  readonly severity: string;
  /** By sink name: `sent`, `queued`, or why not. */
  readonly outcomes: readonly { readonly sink: string; readonly outcome: string }[];
}

/** A duration's distribution, as counters: Prometheus' and OpenTelemetry's explicit-bucket histogram. */
export interface DurationCounts {
  /** Upper bounds in seconds, rising; a last bucket without bound is implied. */
  readonly boundsS: readonly number[];
  /** One more than `boundsS`, each by itself (not cumulative). */
  readonly counts: readonly number[];
  readonly sumS: number;
  readonly count: number;
}

/** The counters of one pool since the monitor began. */
export interface PoolMetrics {
  readonly pool: string;
  readonly max: number;
  readonly idle: number;
  readonly inUse: number;
  readonly pending: number;
  /** The most and the fewest connections that the pool keeps open without use; `undefined` where it has no such limit. */
  readonly idleMax?: number | undefined;
  readonly idleMin?: number | undefined;
  /** Requests that got no connection in time. */
  readonly timeouts: number;
  /** From request to loan, of leases handed to code or transactions, and of every request that had to wait. */
  readonly waitTime: DurationCounts;
  /** From loan to release. */
  readonly useTime: DurationCounts;
  /** Time to open a connection, where a request met a pool that could grow. */
  readonly createTime: DurationCounts;
  readonly leaked: number;
  readonly suspected: number;
}

/** What the views (status page, metrics, health indicator) read. Nothing here asks the pool for a connection. */
export interface MonitorView {
  report(): MonitorReport;
  metrics(): readonly PoolMetrics[];
  /** One sample each 10 s, at most an hour of them, oldest first. */
  history(pool: string): readonly GaugeSample[];
  /** The latest, newest first; at most 100. */
  alerts(): readonly SentAlert[];
  onFinding(listener: (event: FindingEvent) => void): () => void;
}
