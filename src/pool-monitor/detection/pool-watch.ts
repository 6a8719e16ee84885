import {
  type LeaseEnd,
  type LeaseInfo,
  LeaseReclaimedError,
  type LeaseRequest,
  type ManagedPool,
  SelfDeadlockError,
  AcquireTimeoutError,
} from '../../connection/index.js';
import type { Finding, FindingKind } from '../finding.js';
import { counted, formatMs } from '../format.js';
import { PoolStatistics } from '../metrics/pool-statistics.js';
import type { PoolReport } from '../report.js';
import type { Thresholds, ThresholdTable } from '../thresholds.js';
import type { CallSiteBudget } from './call-site-budget.js';
import { type FindingBook, type FindingDraft, keyOf } from './finding-book.js';
import { judgeLeaks, judgeTransactions, verdictOf } from './judge-leases.js';
import { formatSites, LEAST_WAITS, PoolJudge, selfDeadlockDraft } from './judge-pool.js';
import { PoolSnapshot } from './pool-snapshot.js';
import { Occurrences } from './occurrences.js';
import { TrackedLease } from './tracked-lease.js';
import { WaitTimes } from './wait-times.js';

const WAITS_KEPT_MS = 60_000;
/** What a sweep judges anew each time; the rest are occurrences. */
const SWEPT: ReadonlySet<FindingKind> = new Set([
  'suspect',
  'leak',
  'exhausted',
  'pressure',
  'self-deadlock',
  'long-transaction',
]);

type Occurrence = Omit<FindingDraft, 'pool' | 'count' | 'certainty'> & Partial<Pick<Finding, 'certainty'>>;

export interface WatchShared {
  readonly findings: FindingBook;
  readonly thresholds: ThresholdTable;
  readonly callSites: CallSiteBudget;
  readonly wallClock: () => number;
  /** What is added to the pool's name, where another pool has the same. */
  readonly suffix: string;
}

/** One pool under watch: its leases, its waiters, and what is wrong with it. */
export class PoolWatch {
  readonly pool: ManagedPool;
  readonly statistics: PoolStatistics;
  readonly #shared: WatchShared;
  readonly #suffix: string;
  readonly #tracked = new Map<number, TrackedLease>();
  /** What was taken back from its holder: whatever that does with it is no mistake of its own. */
  readonly #reclaimed = new WeakSet<LeaseInfo>();
  readonly #waits = new WaitTimes(WAITS_KEPT_MS);
  readonly #judge = new PoolJudge();
  readonly #occurrences: Occurrences;
  /** How leases that a finding is about have ended since, by key. */
  readonly #endings = new Map<string, Map<string, number>>();
  readonly #atNextSweep: Occurrence[] = [];
  readonly #stop: () => void;

  constructor(pool: ManagedPool, shared: WatchShared) {
    this.pool = pool;
    this.#shared = shared;
    this.#suffix = shared.suffix;
    this.statistics = new PoolStatistics(this.name);
    this.#occurrences = new Occurrences(shared.findings);
    this.#stop = pool.observe({
      ignoresQueries: true,
      recordsCallSite: shared.callSites.take,
      explain: () => this.#explain(),
      gaveUp: (request, error) => this.#gaveUp(request, error),
      acquired: (lease) => this.#acquired(lease),
      abandoned: (lease) => this.#abandoned(lease),
      returned: (lease, end) => this.#ended(lease, 'came back', end),
      destroyed: (lease, reason, end) => this.#destroyed(lease, reason, end),
      lateUse: (lease, use) => this.#lateUse(lease, use),
    });
  }

  /** As reports and findings call the pool. */
  get name(): string {
    return this.pool.name + this.#suffix;
  }

  /** Whether anything may be wrong: then every request records its call site. */
  get isSuspicious(): boolean {
    return [...this.#tracked.values()].some(({ verdict }) => verdict !== undefined);
  }

  /**
   * The leases that are out, oldest first. They are taken in when somebody looks: most come back before the next sweep,
   * and cost nothing but their statistics.
   */
  get tracked(): readonly TrackedLease[] {
    return this.pool.leases().map((lease) => this.#trackedOf(lease));
  }

  #trackedOf(lease: LeaseInfo): TrackedLease {
    const known = this.#tracked.get(lease.id);
    if (known) return known;
    const tracked = new TrackedLease(lease, this.pool);
    this.#tracked.set(lease.id, tracked);
    return tracked;
  }

  thresholdsOf(tracked?: TrackedLease): Thresholds {
    const { thresholds } = this.#shared;
    return tracked && thresholds.hasSites ? thresholds.of(this.name, tracked.site) : thresholds.of(this.name);
  }

  /** Looks at every lease and judges. `elapsedMs`: judging time since the last sweep. */
  sweep(elapsedMs: number): void {
    for (const draft of this.#atNextSweep.splice(0)) this.#occur(draft);
    for (const tracked of this.tracked) {
      tracked.look(elapsedMs);
      tracked.verdict = verdictOf(tracked, this.thresholdsOf(tracked));
    }
    const snapshot = this.#snapshot();
    const thresholds = this.thresholdsOf();
    const facts = {
      pool: this.name,
      max: snapshot.counts.max,
      inUse: snapshot.counts.inUse,
      pressureShare: thresholds.pressureShare,
    };
    const drafts = [
      ...judgeLeaks(snapshot.tracked, facts),
      ...judgeTransactions(snapshot.tracked, facts, (tracked) => this.thresholdsOf(tracked)),
      ...this.#judge.judge(snapshot, thresholds, elapsedMs),
    ];
    this.#settle(drafts);
    this.#occurrences.sweep(elapsedMs);
  }

  report(): PoolReport {
    const { counts, tracked, sites, untracked, waiting, waitP95Ms } = this.#snapshot();
    return Object.freeze({
      pool: this.name,
      at: this.#shared.wallClock(),
      counts,
      leases: tracked.map((each) => each.report()),
      sites,
      untracked,
      waiting,
      waitP95Ms,
      findings: this.findings(),
    });
  }

  findings(): readonly Finding[] {
    return this.#shared.findings.of(this.name);
  }

  /** Ends the watch; what is open is closed with this word. */
  stop(why: string): void {
    this.#stop();
    for (const { key } of this.findings()) this.#shared.findings.close(key, why);
    this.#tracked.clear();
  }

  #snapshot(): PoolSnapshot {
    const p95 = this.#waits.p95(this.pool.clock.now(), LEAST_WAITS);
    return new PoolSnapshot(this, this.tracked, p95);
  }

  /** Opens and updates what holds; closes what held before and does no longer. */
  #settle(drafts: readonly FindingDraft[]): void {
    const { findings } = this.#shared;
    const current = new Set(drafts.map(keyOf));
    for (const draft of drafts) {
      if (draft.kind === 'self-deadlock' && this.#occurrences.has(keyOf(draft))) continue;
      findings.put(draft);
    }
    for (const finding of this.findings()) {
      const { key, kind } = finding;
      if (!SWEPT.has(kind) || current.has(key) || this.#occurrences.has(key)) continue;
      findings.close(key, this.#howEnded(finding));
      this.#endings.delete(key);
    }
  }

  #howEnded(finding: Finding): string {
    const { kind, leases, since, site, pool } = finding;
    const after = formatMs(this.#shared.wallClock() - since);
    const endings = this.#endings.get(finding.key);
    if (endings) {
      const how = [...endings].map(([ending, count]) => `${count} ${ending}`).join(', ');
      return `After ${after}: of the connections, ${how}.`;
    }
    if (kind === 'suspect' && this.#shared.findings.get(keyOf({ kind: 'leak', pool, site })))
      return 'It has become a leak.';
    if (kind === 'leak' || kind === 'suspect')
      return `${counted(leases.length, 'connection')} in use again after ${after}.`;
    if (kind === 'long-transaction') return `Over after ${after}.`;
    const { inUse, max, pending } = this.pool.counts();
    return `Over after ${after}: ${inUse} of ${max} in use, ${pending} waiting.`;
  }

  #acquired(lease: LeaseInfo): void {
    const waitedMs = lease.acquiredAt - lease.requestedAt;
    this.statistics.waited(waitedMs);
    if (lease.opened) this.statistics.created(waitedMs);
    if (waitedMs > 0) this.#waits.add(waitedMs, lease.acquiredAt);
  }

  #abandoned(lease: LeaseInfo): void {
    this.#trackedOf(lease).abandoned = true;
  }

  #destroyed(lease: LeaseInfo, reason: Error | undefined, end: LeaseEnd | undefined): void {
    const isReclaimed = reason instanceof LeaseReclaimedError;
    if (isReclaimed) this.#reclaimed.add(lease);
    this.#ended(lease, isReclaimed ? 'taken back' : 'closed', end);
  }

  #ended(lease: LeaseInfo, how: 'came back' | 'taken back' | 'closed', end: LeaseEnd | undefined): void {
    this.statistics.used(this.pool.clock.now() - lease.acquiredAt);
    const tracked = this.#tracked.get(lease.id);
    this.#tracked.delete(lease.id);
    if (end?.inTransaction && lease.kind === 'client')
      this.#dirtyRelease(tracked ?? new TrackedLease(lease, this.pool), how);
    if (!tracked?.verdict) return;
    const key = keyOf({ kind: tracked.verdict, pool: this.name, site: tracked.site });
    const endings = this.#endings.get(key) ?? new Map<string, number>();
    endings.set(how, (endings.get(how) ?? 0) + 1);
    if (this.#shared.findings.get(key)) this.#endings.set(key, endings);
    if (tracked.verdict === 'leak' && how === 'came back') this.#lateReturn(tracked);
  }

  /**
   * What a release says is told at the next sweep: an ORM that is shut down gives back what leaked directly before it ends
   * its pool, and that is neither late nor dirty.
   */
  #occurUnlessPoolEnds(draft: Occurrence): void {
    this.#atNextSweep.push(draft);
  }

  #lateReturn(tracked: TrackedLease): void {
    const { site, idleMs, ageMs } = tracked;
    const enough = Math.ceil((Math.max(idleMs, 1000) * 1.5) / 1000) * 1000;
    this.#occurUnlessPoolEnds({
      kind: 'late-return',
      severity: 'info',
      site,
      evidence: `A connection that was reported as leaked came back: ${site} had it for ${formatMs(ageMs)}. It is slow, it leaks nothing.`,
      advice: `Where that is as it should be: monitor.setThresholds({ leakAfterMs: ${enough} }, { site: ${JSON.stringify(site)} }).`,
      leases: [tracked.report()],
    });
  }

  #dirtyRelease(tracked: TrackedLease, how: 'came back' | 'taken back' | 'closed'): void {
    tracked.look(0);
    this.#occurUnlessPoolEnds({
      kind: 'dirty-release',
      severity: 'warning',
      site: tracked.site,
      evidence: `${tracked.site} gave a connection of pool "${this.name}" back inside a transaction: ${how === 'closed' ? 'it was closed, and the server rolls back what was not committed.' : 'whoever gets it next would see its rows, and commit or lose them.'}`,
      advice: 'COMMIT or ROLLBACK on every path before release(), or let @Transactional() do it.',
      leases: [tracked.report()],
    });
  }

  #lateUse(lease: LeaseInfo, use: 'query' | 'end' | 'release'): void {
    if (this.#reclaimed.has(lease)) return;
    const tracked = new TrackedLease(lease, this.pool);
    const isDouble = use === 'release';
    this.#occur({
      kind: isDouble ? 'double-release' : 'stale-use',
      severity: 'warning',
      site: tracked.site,
      evidence: isDouble
        ? `${tracked.site} released a connection of pool "${this.name}" a second time.`
        : `${tracked.site} used a connection of pool "${this.name}" (${use}) after it had released it.`,
      advice: isDouble
        ? 'Release once, in a finally block, and nowhere else.'
        : 'Await every query before release(): what is sent later can meet the next holder of the connection.',
      leases: [tracked.report()],
    });
  }

  #gaveUp(request: LeaseRequest, error: Error): void {
    const waitedMs = this.pool.clock.now() - request.requestedAt;
    this.statistics.waited(waitedMs);
    this.#waits.add(waitedMs, this.pool.clock.now());
    if (error instanceof SelfDeadlockError) {
      const leases = this.tracked.map((each) => (each.look(0), each.report()));
      const {
        count: _,
        pool: _pool,
        ...draft
      } = selfDeadlockDraft(this.name, {
        certainty: 'certain',
        evidence: error.message,
        leases,
      });
      this.#occur(draft);
    } else if (error instanceof AcquireTimeoutError || /timeout/i.test(error.message)) {
      this.statistics.timedOut();
      this.#judge.gaveUp();
    }
  }

  #occur(draft: Occurrence): void {
    this.#occurrences.add({ certainty: 'certain', ...draft, pool: this.name });
  }

  /** What a caller who waited in vain is told. */
  #explain(): string {
    const { sites, waiting, untracked } = this.#snapshot();
    const held = [
      sites.length > 0 && `Held by ${formatSites(sites)}.`,
      untracked > 0 &&
        `${counted(untracked, 'connection')} ${untracked === 1 ? 'runs' : 'run'} a pool.query(), or was taken before the pool monitor came.`,
      waiting.count > 0 &&
        `${counted(waiting.count, 'caller')} ${waiting.count === 1 ? 'waits' : 'wait'}, the oldest for ${formatMs(waiting.oldestMs)}.`,
    ];
    return held.filter(Boolean).join(' ');
  }
}
