import type { LeaseKind, PoolCounts } from '../connection/index.js';
import type { Finding } from './finding.js';
import type { Place } from './place.js';
import type { ServerReport } from './server-report.js';

/** A lease that is out, as it is at the moment of the report. */
export interface LeaseReport {
  /** Unique in this process. */
  readonly id: number;
  readonly kind: LeaseKind;
  /** The method of its transaction, where it is one's. */
  readonly holder: string | undefined;
  /** Where it was taken; `undefined` where that was not recorded. */
  readonly place: Place | undefined;
  /** What reports group leases by: holder or place, `unknown` where neither is known. */
  readonly site: string;
  /** The application's request it was taken in, such as `POST /orders`. */
  readonly request: string | undefined;
  /** Milliseconds since it was lent. */
  readonly ageMs: number;
  /** Milliseconds since the last sign of life: a statement that was sent or ran, bytes of a stream. */
  readonly idleMs: number;
  /** The last statement without its literals, shortened; `undefined` where none was sent as a text. */
  readonly statement: string | undefined;
  readonly running: boolean;
  readonly inTransaction: boolean;
  /** `pg_stat_activity.pid`, or the thread id of MySQL. */
  readonly backendId: number | undefined;
  /** Why it is held on purpose, where it is: the reason of `allow()`, or `LISTEN`. */
  readonly allowed: string | undefined;
  /** `leak` is a verdict, `suspect` a doubt. */
  readonly verdict: 'suspect' | 'leak' | undefined;
}

/** Leases of one call site. */
export interface SiteReport {
  readonly site: string;
  readonly count: number;
  /** Milliseconds. */
  readonly oldestMs: number;
}

/** The requests that wait for a connection. */
export interface WaitReport {
  readonly count: number;
  /** How long the oldest has waited, in milliseconds; 0 where none waits. */
  readonly oldestMs: number;
  /** By call site, most first. */
  readonly sites: readonly SiteReport[];
}

/** One pool of this process at one moment. */
export interface PoolReport {
  readonly pool: string;
  /** `Date.now()` of the report. */
  readonly at: number;
  readonly counts: PoolCounts;
  /** Oldest first. */
  readonly leases: readonly LeaseReport[];
  /** By call site, most first. */
  readonly sites: readonly SiteReport[];
  /** Connections in use that no lease is known of: `pool.query()` calls, and what was taken before the monitor came. */
  readonly untracked: number;
  readonly waiting: WaitReport;
  /** Of the waits of the last minute, in milliseconds; 0 where nobody waited. */
  readonly waitP95Ms: number;
  readonly findings: readonly Finding[];
}

/** What the monitor knows, at one moment. */
export interface MonitorReport {
  readonly service: string;
  readonly environment: string | undefined;
  readonly version: string | undefined;
  /** This process among those of the service: host name and process id unless it was given a name. */
  readonly instance: string;
  readonly pools: readonly PoolReport[];
  /** By pool name; absent where the server is not looked at. */
  readonly servers: ReadonlyMap<string, ServerReport>;
}
