import { counted, formatMs } from '../format.js';
import type { SiteReport } from '../report.js';
import type { Thresholds } from '../thresholds.js';
import type { FindingDraft } from './finding-book.js';
import type { PoolSnapshot } from './pool-snapshot.js';
import type { TrackedLease } from './tracked-lease.js';

/** A pool that is well again must be so for this long before a finding is closed: it would flap otherwise. */
const RECOVERY_MS = 10_000;
/** A holder that has only just been answered will go on by itself. */
const STUCK_AFTER_MS = 1000;
/** Fewer waits than this say nothing of a percentile. */
export const LEAST_WAITS = 5;

/** The state of a pool over time: full, nearly full, or stuck. */
export class PoolJudge {
  #fullMs = 0;
  #wellMs = 0;
  #gaveUp = 0;
  #isExhausted = false;
  #pressedMs = 0;
  #calmMs = 0;
  #isPressed = false;

  /** A caller got no connection in time: that is exhaustion, however long the pool was full. */
  gaveUp(): void {
    this.#gaveUp++;
    this.#wellMs = 0;
  }

  /** The findings that hold now, `elapsedMs` of judging time after the last. What is missing of those before is over. */
  judge(snapshot: PoolSnapshot, thresholds: Thresholds, elapsedMs: number): FindingDraft[] {
    this.#measure(snapshot, thresholds, elapsedMs);
    return [
      this.#isExhausted ? this.#exhausted(snapshot) : undefined,
      this.#isPressed ? this.#pressure(snapshot, thresholds) : undefined,
      selfDeadlock(snapshot),
    ].filter((draft) => draft !== undefined);
  }

  #measure(
    { counts, waitP95Ms, heldOnPurpose }: PoolSnapshot,
    thresholds: Thresholds,
    elapsedMs: number,
  ): void {
    const isFull = counts.inUse >= counts.max && counts.pending > 0;
    this.#fullMs = isFull ? this.#fullMs + elapsedMs : 0;
    this.#wellMs = isFull ? 0 : this.#wellMs + elapsedMs;
    if (this.#wellMs >= RECOVERY_MS) {
      this.#gaveUp = 0;
      this.#isExhausted = false;
    } else if (this.#gaveUp > 0 || this.#fullMs >= thresholds.exhaustedAfterMs) this.#isExhausted = true;

    const room = counts.max - heldOnPurpose;
    // A pool of one is full whenever it is used.
    const isFilled =
      counts.max !== Infinity && room > 1 && counts.inUse - heldOnPurpose >= room * thresholds.pressureShare;
    const isSlow = waitP95Ms > thresholds.slowWaitMs;
    this.#pressedMs = isFilled ? this.#pressedMs + elapsedMs : 0;
    this.#calmMs = isFilled || isSlow ? 0 : this.#calmMs + elapsedMs;
    if (this.#calmMs >= RECOVERY_MS) this.#isPressed = false;
    else if (this.#pressedMs >= thresholds.pressureAfterMs || isSlow) this.#isPressed = true;
  }

  #exhausted(snapshot: PoolSnapshot): FindingDraft {
    const { counts, waiting, pool, sites } = snapshot;
    const evidence = [
      `Pool "${pool}" has ${counts.inUse} of ${counts.max} connections in use and ${counted(counts.pending, 'caller')} waiting${counts.pending > 0 ? `, the oldest for ${formatMs(waiting.oldestMs)}` : ''}.`,
      this.#gaveUp > 0 && `${counted(this.#gaveUp, 'caller')} got none in time.`,
      sites.length > 0 && `Held by ${formatSites(sites)}.`,
    ];
    return {
      kind: 'exhausted',
      severity: 'critical',
      pool,
      site: undefined,
      certainty: 'certain',
      evidence: evidence.filter(Boolean).join(' '),
      advice: adviceOf(snapshot),
      leases: snapshot.tracked.map((each) => each.report()),
      count: 1,
    };
  }

  #pressure(snapshot: PoolSnapshot, thresholds: Thresholds): FindingDraft {
    const { counts, waitP95Ms, pool, sites } = snapshot;
    return {
      kind: 'pressure',
      severity: 'warning',
      pool,
      site: undefined,
      certainty: 'likely',
      evidence: [
        `Pool "${pool}" has ${counts.inUse} of ${counts.max} connections in use`,
        this.#pressedMs >= thresholds.pressureAfterMs &&
          `, above ${Math.round(thresholds.pressureShare * 100)} % for ${formatMs(this.#pressedMs)}`,
        waitP95Ms > thresholds.slowWaitMs &&
          `; one caller in twenty waits longer than ${formatMs(waitP95Ms)}`,
        '.',
        sites.length > 0 && ` Held by ${formatSites(sites)}.`,
      ]
        .filter(Boolean)
        .join(''),
      advice: adviceOf(snapshot),
      leases: [],
      count: 1,
    };
  }
}

/**
 * A pool whose connections are all held by code that waits for one more. Transactions that do so are told apart with
 * certainty when they ask (SelfDeadlockError); of clients taken by hand nobody knows which branch of a call holds them, so it
 * is likely, once none of them does anything.
 */
function selfDeadlock(snapshot: PoolSnapshot): FindingDraft | undefined {
  const { pool, counts, tracked } = snapshot;
  const isFull = counts.inUse >= counts.max && counts.pending > 0 && tracked.length >= counts.inUse;
  if (!isFull) return undefined;
  if (!tracked.every(({ usage, idleMs }) => !usage.running && idleMs >= STUCK_AFTER_MS)) return undefined;
  if (!tracked.every(holdsUpItself(snapshot))) return undefined;
  return selfDeadlockDraft(pool, {
    certainty: 'likely',
    evidence: `All ${counts.inUse} connections of pool "${pool}" are held by code that waits for one more itself: ${formatSites(snapshot.waiting.sites)}.`,
    leases: tracked.map((each) => each.report()),
  });
}

/**
 * Whether a holder waits for another connection: its request does, or, where nobody says what a request is, as many wait
 * inside the function that took it as there are connections that this line took.
 */
function holdsUpItself(snapshot: PoolSnapshot): (tracked: TrackedLease) => boolean {
  const requests: ReadonlySet<object> = snapshot.waitingRequests();
  return ({ lease, place, site }) => {
    if (lease.request) return requests.has(lease.request);
    if (place?.function === undefined) return false;
    const held = snapshot.tracked.filter((each) => each.site === site).length;
    return snapshot.waitersBehind(place) >= held;
  };
}

export function selfDeadlockDraft(
  pool: string,
  seen: Pick<FindingDraft, 'certainty' | 'evidence' | 'leases'>,
): FindingDraft {
  return {
    kind: 'self-deadlock',
    severity: 'critical',
    pool,
    site: undefined,
    count: 1,
    advice:
      'No connection was leaked: do not take a second connection while one is held. Pass the client on, let the inner method join the transaction (REQUIRED, NESTED) instead of REQUIRES_NEW, or give what must run beside it a pool of its own.',
    ...seen,
  };
}

function adviceOf({ tracked, counts }: PoolSnapshot): string {
  const leaked = tracked.filter(({ verdict }) => verdict === 'leak').length;
  if (leaked > 0)
    return `${counted(leaked, 'connection')} of them ${leaked === 1 ? 'is' : 'are'} leaked: mend that first, a larger pool only fills later. A restart of the process frees them.`;
  const running = tracked.filter(({ usage }) => usage.running).length;
  if (running * 2 >= tracked.length && running > 0)
    return `Most of the holders run a statement: the database is slow, or there are more callers than a pool of ${counts.max} serves. Look at the longest statements and at who blocks whom before raising the pool's max.`;
  return `Hold connections for less long (no calls to other services while one is held), or raise the pool's max of ${counts.max} as far as the server allows.`;
}

/** `OrderService.place 7, ReportService.export 3`, the first five. */
export function formatSites(sites: readonly SiteReport[]): string {
  const shown = sites
    .slice(0, 5)
    .map(({ site, count, oldestMs }) => `${site} ${count} (oldest ${formatMs(oldestMs)})`);
  return shown.join(', ') + (sites.length > 5 ? ` and ${sites.length - 5} more` : '');
}
