import type { AppRequest, LeaseRequest, ManagedPool, PoolCounts } from '../../connection/index.js';
import { ownPlaces } from '../call-site/own-place.js';
import type { Place } from '../place.js';
import type { SiteReport, WaitReport } from '../report.js';
import { placeOf, siteOf, type TrackedLease } from './tracked-lease.js';

/** Waiters whose call site is read: a stack costs 30 µs and more to read, and thousands may wait. */
const MOST_READ = 100;

/** A pool at one moment. What needs stacks is worked out when somebody reads it. */
export class PoolSnapshot {
  readonly pool: string;
  readonly counts: PoolCounts;
  readonly tracked: readonly TrackedLease[];
  readonly waitP95Ms: number;
  readonly #requests: readonly LeaseRequest[];
  readonly #now: number;
  #sites: readonly SiteReport[] | undefined;
  #waiting: WaitReport | undefined;
  #stacks: (readonly Place[])[] | undefined;

  constructor(
    { name, pool }: { readonly name: string; readonly pool: ManagedPool },
    tracked: readonly TrackedLease[],
    waitP95Ms: number,
  ) {
    this.pool = name;
    this.counts = pool.counts();
    this.tracked = tracked;
    this.waitP95Ms = waitP95Ms;
    this.#requests = pool.waiting();
    this.#now = pool.clock.now();
  }

  /** Who holds the connections, by call site, most first. */
  get sites(): readonly SiteReport[] {
    return (this.#sites ??= bySite(this.tracked.map(({ site, ageMs }) => ({ site, ms: ageMs }))));
  }

  /** Connections that are held on purpose: no load of the pool, and no room in it. */
  get heldOnPurpose(): number {
    return this.tracked.filter(({ allowed }) => allowed !== undefined).length;
  }

  /** Connections in use that no lease is known of. */
  get untracked(): number {
    return Math.max(0, this.counts.inUse - this.tracked.length);
  }

  get waiting(): WaitReport {
    return (this.#waiting ??= Object.freeze({
      count: this.#requests.length,
      oldestMs: Math.max(0, this.#now - (this.#requests[0]?.requestedAt ?? this.#now)),
      sites: bySite(
        this.#requests.slice(0, MOST_READ).map((request) => ({
          site: siteOf(request, placeOf(request)),
          ms: this.#now - request.requestedAt,
        })),
      ),
    }));
  }

  /**
   * How many of those who wait do so inside the function that took a connection at `place`, behind that line: their stacks
   * go through it, as far as V8 follows what awaits what.
   */
  waitersBehind(place: Place): number {
    this.#stacks ??= this.#requests
      .slice(0, MOST_READ)
      .map(({ askedAt, calledAt }) => [askedAt, calledAt].flatMap((site) => (site ? ownPlaces(site) : [])));
    return this.#stacks.filter((places) => places.some((each) => isBehind(each, place))).length;
  }

  /** The requests of the application that those who wait are part of. */
  waitingRequests(): ReadonlySet<AppRequest> {
    return new Set(this.#requests.flatMap(({ request }) => request ?? []));
  }
}

function isBehind(one: Place, other: Place): boolean {
  return (
    one.file === other.file &&
    one.function === other.function &&
    (one.line !== other.line || one.column !== other.column)
  );
}

function bySite(each: readonly { readonly site: string; readonly ms: number }[]): readonly SiteReport[] {
  const sites = new Map<string, { count: number; oldestMs: number }>();
  for (const { site, ms } of each) {
    const known = sites.get(site);
    if (!known) sites.set(site, { count: 1, oldestMs: ms });
    else {
      known.count++;
      known.oldestMs = Math.max(known.oldestMs, ms);
    }
  }
  return [...sites]
    .map(([site, { count, oldestMs }]) => ({ site, count, oldestMs }))
    .sort((a, b) => b.count - a.count || b.oldestMs - a.oldestMs);
}
