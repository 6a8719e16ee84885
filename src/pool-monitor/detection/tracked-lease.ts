import type { LeaseInfo, LeaseUsage, ManagedPool } from '../../connection/index.js';
import { ownPlace } from '../call-site/own-place.js';
import { maskStatement } from '../mask-statement.js';
import { formatPlace, type Place } from '../place.js';
import type { LeaseReport } from '../report.js';

/** A client whose last word was this waits for notifications: on purpose, and for as long as the process lives. */
const LISTENS = /^\s*LISTEN\b/i;

/** Of a lease whose pool does not tell. */
const NO_USAGE: LeaseUsage = {
  lastUsedAt: 0,
  statement: undefined,
  running: false,
  traffic: undefined,
  inTransaction: false,
};

/** A lease that is out, and what has been seen of it. */
export class TrackedLease {
  readonly lease: LeaseInfo;
  /** Whether its holder was garbage-collected. */
  abandoned = false;
  /** Whether it was taken back, or would have been. */
  isReclaimed = false;
  verdict: 'suspect' | 'leak' | undefined;
  /** Judging time without activity, in milliseconds: grows with each sweep, so that a stall of the process is no idleness. */
  idleMs = 0;
  /** The same since its request ended. */
  afterRequestMs = 0;
  /** The same since its transaction began. */
  inTransactionMs = 0;
  usage: LeaseUsage = NO_USAGE;
  readonly #pool: ManagedPool;
  #place: Place | undefined;
  #isPlaced = false;

  constructor(lease: LeaseInfo, pool: ManagedPool) {
    this.lease = lease;
    this.#pool = pool;
  }

  /** Looks at the connection. `elapsedMs`: judging time since the last look. */
  look(elapsedMs: number): void {
    const before = this.usage;
    const usage = this.#pool.usage(this.lease) ?? NO_USAGE;
    this.usage = usage;
    const moved = usage.traffic === undefined || usage.traffic !== before.traffic;
    const isActive = usage.lastUsedAt !== before.lastUsedAt || (usage.running && moved);
    this.idleMs = isActive ? 0 : this.idleMs + elapsedMs;
    this.inTransactionMs = usage.inTransaction ? this.inTransactionMs + elapsedMs : 0;
    if (this.lease.request?.endedAt !== undefined) this.afterRequestMs += elapsedMs;
  }

  /** Why it is held on purpose, where it is. */
  get allowed(): string | undefined {
    const { statement } = this.usage;
    return this.lease.allowed ?? (statement && LISTENS.test(statement) ? 'LISTEN' : undefined);
  }

  /** Where it was taken: found when a report needs it, for a stack costs more to read than to take. */
  get place(): Place | undefined {
    if (!this.#isPlaced) {
      this.#isPlaced = true;
      this.#place = placeOf(this.lease);
    }
    return this.#place;
  }

  /** What reports call whoever holds it. */
  get site(): string {
    return siteOf(this.lease, this.place);
  }

  /** Milliseconds since it was lent, of the pool's own clock. */
  get ageMs(): number {
    return this.#pool.clock.now() - this.lease.acquiredAt;
  }

  report(): LeaseReport {
    const { lease, usage, place, allowed, verdict } = this;
    return Object.freeze({
      id: lease.id,
      kind: lease.kind,
      holder: lease.holder,
      place,
      site: this.site,
      request: lease.request?.label,
      ageMs: this.ageMs,
      idleMs: this.idleMs,
      statement:
        usage.statement === undefined ? undefined : maskStatement(usage.statement, this.#pool.dialect),
      running: usage.running,
      inTransaction: usage.inTransaction,
      backendId: lease.backendId,
      allowed,
      verdict,
    });
  }
}

/** The application's place that a connection was asked for at, where it was recorded. */
export function placeOf({ askedAt, calledAt }: Pick<LeaseInfo, 'askedAt' | 'calledAt'>): Place | undefined {
  return (askedAt && ownPlace(askedAt)) ?? (calledAt && ownPlace(calledAt));
}

/** How reports name whoever asked: its transaction's method and place, or the place, or its request. */
export function siteOf(
  { holder, request }: Pick<LeaseInfo, 'holder' | 'request'>,
  place: Place | undefined,
): string {
  if (holder) return place ? `${holder} (${place.file}:${place.line})` : holder;
  if (place) return formatPlace(place);
  return request ? `a call in ${request.label}` : 'a place that was not recorded';
}
