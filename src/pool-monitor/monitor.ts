import {
  findManagedPool,
  LeaseReclaimedError,
  type ManageablePool,
  type ManagedPool,
  type PoolSupplier,
  type PoolWatcher,
  preparePool,
  registeredNames,
  registeredSource,
} from '../connection/index.js';
import {
  type Clock,
  describeError,
  getLogger,
  invalid,
  optional,
  readInteger,
  readOptions,
  readString,
} from '../core/index.js';
import { AlertCentre } from './alerts/index.js';
import { CallSiteBudget } from './detection/call-site-budget.js';
import { collectGarbage } from './detection/collect-garbage.js';
import { FindingBook } from './detection/finding-book.js';
import { GaugeHistory } from './detection/gauge-history.js';
import { PoolWatch } from './detection/pool-watch.js';
import { SweepTimer } from './detection/sweep-timer.js';
import type { FindingEvent } from './finding.js';
import { formatMs } from './format.js';
import type { DurationListener, DurationSource } from './metrics/index.js';
import { type ParsedMonitorOptions, parseMonitorOptions, type PoolMonitorOptions } from './options.js';
import type { MonitorReport } from './report.js';
import { ServerSide } from './server-side.js';
import { readThresholds, type Thresholds, type ThresholdScope, ThresholdTable } from './thresholds.js';
import type { GaugeSample, MonitorView, PoolMetrics, SentAlert } from './view.js';

/** How often a garbage collection may be forced, in milliseconds: one takes 18 to 150. */
const COLLECT_EVERY_MS = 60_000;

/**
 * Watches pools and says what is wrong with them: which line leaked a connection, why a pool is exhausted. It never asks
 * a pool for a connection, never throws into the application and never holds the process open.
 */
export class PoolMonitor implements MonitorView, PoolWatcher, DurationSource {
  readonly #options: ParsedMonitorOptions;
  readonly #findings: FindingBook;
  readonly #thresholds = new ThresholdTable();
  readonly #callSites: CallSiteBudget;
  readonly #watches = new Map<ManagedPool, PoolWatch>();
  readonly #suppliers = new Set<PoolSupplier>();
  readonly #history = new GaugeHistory();
  readonly #durationListeners = new Set<DurationListener>();
  readonly #timer: SweepTimer;
  readonly #alerts: AlertCentre;
  readonly #servers: ServerSide;
  #isStarted = false;
  #sinceRenewalMs = 0;
  #sinceCollectionMs = COLLECT_EVERY_MS;

  constructor(options?: PoolMonitorOptions) {
    this.#options = parseMonitorOptions(options);
    const { clock, sweepEveryMs, wallClock, thresholds, callSitesPerSecond } = this.#options;
    this.#findings = new FindingBook(wallClock);
    this.#thresholds.set(thresholds);
    this.#callSites = new CallSiteBudget(callSitesPerSecond);
    this.#timer = new SweepTimer(clock, sweepEveryMs, (elapsedMs) => this.#sweep(elapsedMs));
    this.#servers = new ServerSide(this.#options.server, this.#options);
    this.#alerts = new AlertCentre(this.#options.alerts, {
      report: () => this.report(),
      fleet: this.#servers.fleet,
      clock,
      wallClock,
    });
    this.#findings.listen((event) => this.#alerts.handle(event));
    this.#suppliers.add(registeredPools);
  }

  /** Where its times come from. */
  get clock(): Clock {
    return this.#options.clock;
  }

  /** Begins to watch every pool that holdfast manages, and those of `watch()`. A second call changes nothing. */
  start(): this {
    if (!this.#isStarted) {
      this.#isStarted = true;
      this.#adopt();
      this.#timer.start();
    }
    return this;
  }

  /**
   * Ends it for good: what has not been told is told, within 2 s (`alerts.delivery.flushMs`). The pools go on. Never
   * rejects.
   */
  async stop(): Promise<void> {
    this.#isStarted = false;
    this.#timer.stop();
    await this.#alerts.close();
    await this.#servers.stop();
    for (const watch of this.#watches.values()) watch.stop('The monitor was stopped.');
    this.#watches.clear();
  }

  /**
   * Watches a pool that holdfast does not manage otherwise: a service that wants the monitor alone. Its statements stay
   * outside every transaction. Idempotent. `connectionLimit` is for the mariadb connector, whose pool keeps its option of
   * this name to itself: without it, nobody knows when the pool is full.
   *
   * @throws UnsupportedDriverError for what is no pool of pg, mysql2 or mariadb, InvalidOptionsError for wrong options.
   */
  watch(
    pool: ManageablePool,
    options: { readonly name: string; readonly connectionLimit?: number },
  ): ManagedPool {
    const { name, connectionLimit } = readOptions<{ name: string; connectionLimit: number | undefined }>(
      options,
      { name: readString, connectionLimit: optional(readInteger(1, 100_000)) },
      'watch(pool, options)',
    );
    if (typeof pool !== 'object' || pool === null)
      throw invalid('watch(pool)', pool, 'a pool of pg, mysql2 or mariadb');
    const { clock } = this.#options;
    const managed = findManagedPool(pool) ?? preparePool(pool, { name, clock, connectionLimit });
    this.watchSource(() => [managed]);
    return managed;
  }

  /** Asks the suppliers now instead of before the next sweep: a pool was made. */
  adoptNow(): void {
    if (this.#isStarted) this.#adopt();
  }

  /** Watches whatever pools `supplier` answers, asked before each sweep. The returned function ends that. */
  watchSource(supplier: PoolSupplier): () => void {
    this.#suppliers.add(supplier);
    if (this.#isStarted) this.#adopt();
    return () => void this.#suppliers.delete(supplier);
  }

  /**
   * Changes thresholds from now on, of every pool, of one, or of a call site.
   *
   * @throws InvalidOptionsError for unknown ones or what is no duration.
   *
   * @example
   * ```ts
   * monitor.setThresholds({ leakAfterMs: 600_000 }, { site: 'ReportService.export' });
   * ```
   */
  setThresholds(changes: Partial<Thresholds>, scope?: ThresholdScope): void {
    this.#thresholds.set(readThresholds(changes, 'setThresholds(changes)'), scope);
  }

  report(): MonitorReport {
    const { service, environment, version, instance } = this.#options;
    const pools = [...this.#watches.values()].map((watch) => watch.report());
    return Object.freeze({
      service,
      environment,
      version,
      instance,
      pools,
      servers: this.#servers.reports(),
    });
  }

  metrics(): readonly PoolMetrics[] {
    return [...this.#watches.values()].map((watch) => {
      const { max, idle, inUse, pending } = watch.pool.counts();
      const verdicts = watch.tracked.map(({ verdict }) => verdict);
      return {
        pool: watch.name,
        max,
        idle,
        inUse,
        pending,
        idleMax: watch.pool.idleLimits?.max,
        idleMin: watch.pool.idleLimits?.min,
        ...watch.statistics.snapshot(),
        leaked: verdicts.filter((verdict) => verdict === 'leak').length,
        suspected: verdicts.filter((verdict) => verdict === 'suspect').length,
      };
    });
  }

  history(pool: string): readonly GaugeSample[] {
    return this.#history.of(pool);
  }

  alerts(): readonly SentAlert[] {
    return this.#alerts.sent();
  }

  onFinding(listener: (event: FindingEvent) => void): () => void {
    return this.#findings.listen(listener);
  }

  onDuration(listener: DurationListener): () => void {
    this.#durationListeners.add(listener);
    for (const { statistics } of this.#watches.values()) statistics.onDuration(listener);
    return () => {
      this.#durationListeners.delete(listener);
      for (const { statistics } of this.#watches.values()) statistics.offDuration(listener);
    };
  }

  #sweep(elapsedMs: number): void {
    try {
      this.#adopt();
      for (const watch of this.#watches.values()) {
        watch.sweep(elapsedMs);
        this.#reclaim(watch);
      }
      this.#servers.sweep(elapsedMs, (pool) => this.#watches.get(pool)?.report().leases ?? []);
      this.#history.sample(elapsedMs, this.#options.wallClock(), [...this.#watches.values()]);
      this.#renewBudget(elapsedMs);
      this.#collectWhereItHelps(elapsedMs);
    } catch (error) {
      getLogger().error(
        { error: describeError(error) },
        'holdfast: a sweep of the pool monitor failed; it goes on with the next',
      );
    }
  }

  /** Takes in pools that are new, and lets go of those that have ended or are watched no longer. */
  #adopt(): void {
    const wanted = new Set(
      [...this.#suppliers].flatMap((supplier) => supplier()).filter(({ ended }) => !ended),
    );
    for (const [pool, watch] of this.#watches) {
      if (wanted.has(pool)) continue;
      watch.stop('The pool has ended.');
      this.#watches.delete(pool);
    }
    for (const pool of wanted) {
      if (this.#watches.has(pool)) continue;
      const shared = {
        findings: this.#findings,
        thresholds: this.#thresholds,
        callSites: this.#callSites,
        wallClock: this.#options.wallClock,
        suffix: this.#suffixOf(pool),
      };
      const watch = new PoolWatch(pool, shared);
      for (const listener of this.#durationListeners) watch.statistics.onDuration(listener);
      this.#watches.set(pool, watch);
    }
    this.#servers.adopt(wanted);
  }

  /** Findings are told apart by the pool's name: a second pool of one name is `orders#2`. */
  #suffixOf({ name }: ManagedPool): string {
    const taken = new Set([...this.#watches.values()].map((watch) => watch.name));
    let suffix = '';
    for (let number = 2; taken.has(name + suffix); number++) suffix = `#${number}`;
    return suffix;
  }

  #renewBudget(elapsedMs: number): void {
    this.#sinceRenewalMs += elapsedMs;
    if (this.#sinceRenewalMs < 1000) return;
    this.#sinceRenewalMs = 0;
    this.#callSites.renew([...this.#watches.values()].some(({ isSuspicious }) => isSuspicious));
  }

  /** A suspect of a full pool may be certain: whether its holder is gone shows only after a collection. */
  #collectWhereItHelps(elapsedMs: number): void {
    this.#sinceCollectionMs += elapsedMs;
    if (this.#sinceCollectionMs < COLLECT_EVERY_MS) return;
    const helps = [...this.#watches.values()].some(
      ({ isSuspicious, pool }) => isSuspicious && pool.counts().pending > 0,
    );
    if (!helps) return;
    this.#sinceCollectionMs = 0;
    collectGarbage();
  }

  #reclaim(watch: PoolWatch): void {
    const { mode, afterMs, aboveShare } = this.#options.reclaim;
    if (mode === 'off') return;
    const { inUse, max } = watch.pool.counts();
    if (inUse <= max * aboveShare) return;
    for (const tracked of watch.tracked) {
      if (tracked.verdict !== 'leak' || tracked.isReclaimed) continue;
      if (!tracked.abandoned && tracked.idleMs < afterMs) continue;
      tracked.isReclaimed = true;
      const { site, ageMs, lease } = tracked;
      const what = `a connection of pool "${watch.pool.name}" that ${site} took ${formatMs(ageMs)} ago`;
      getLogger().warn(
        { pool: watch.name, site, backendId: lease.backendId, mode },
        mode === 'on'
          ? `holdfast: takes back ${what}`
          : `holdfast: would take back ${what} (reclaim: dry-run)`,
      );
      if (mode === 'on') void watch.pool.reclaim(lease, reclaimedError(what, lease.askedAt));
    }
  }
}

function reclaimedError(what: string, askedAt: { readonly stack: string } | undefined): LeaseReclaimedError {
  const cause = new Error('the connection was taken here');
  if (askedAt) cause.stack = `Error: ${cause.message}${askedAt.stack.slice(askedAt.stack.indexOf('\n'))}`;
  return new LeaseReclaimedError(
    `The pool monitor took back ${what} and that had leaked: it was closed, and what was open on it rolled back. ` +
      'Release it in a finally block.',
    askedAt && { cause },
  );
}

function registeredPools(): ManagedPool[] {
  return registeredNames().flatMap((name) => {
    const source = registeredSource(name);
    return source ? [source.primary, ...source.replicas] : [];
  });
}

/**
 * Makes a pool monitor; `start()` begins. In a Nest application `HoldfastModule.forRoot({ poolMonitor })` does both.
 *
 * @throws InvalidOptionsError for wrong options.
 *
 * @example
 * ```ts
 * const monitor = createPoolMonitor({ service: 'orders' }).start();
 * monitor.onFinding(({ change, finding }) => console.log(change, finding.evidence, finding.advice));
 * ```
 */
export function createPoolMonitor(options?: PoolMonitorOptions): PoolMonitor {
  return new PoolMonitor(options);
}
