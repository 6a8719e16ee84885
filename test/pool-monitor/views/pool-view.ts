import type { LeaseInfo, LeaseObserver, ManagedPool } from 'holdfast';
import type { FindingEvent } from '../../../src/pool-monitor/finding.js';
import {
  type DurationListener,
  type DurationSource,
  PoolStatistics,
} from '../../../src/pool-monitor/metrics/index.js';
import type { LeaseReport, MonitorReport, PoolReport } from '../../../src/pool-monitor/report.js';
import type { GaugeSample, MonitorView, PoolMetrics, SentAlert } from '../../../src/pool-monitor/view.js';

/** What the views read, of one real pool: its counts and leases as they are, and whatever a test adds. */
export class PoolView implements MonitorView, DurationSource {
  readonly statistics: PoolStatistics;
  /** Laid over what is true of the pool. */
  more: Partial<PoolReport> = {};
  servers: MonitorReport['servers'] = new Map();
  samples: GaugeSample[] = [];
  sent: SentAlert[] = [];
  readonly #pool: ManagedPool;
  readonly #stop: () => void;

  constructor(pool: ManagedPool) {
    this.#pool = pool;
    this.statistics = new PoolStatistics(pool.name);
    const ended = (lease: LeaseInfo): void => this.statistics.used(pool.clock.now() - lease.acquiredAt);
    const observer: LeaseObserver = {
      acquired: ({ acquiredAt, requestedAt }) => this.statistics.waited(acquiredAt - requestedAt),
      returned: ended,
      destroyed: ended,
      gaveUp: () => this.statistics.timedOut(),
    };
    this.#stop = pool.observe(observer);
  }

  close(): void {
    this.#stop();
  }

  onDuration(listener: DurationListener): () => void {
    return this.statistics.onDuration(listener);
  }

  metrics(): readonly PoolMetrics[] {
    const { max, idle, inUse, pending } = this.#pool.counts();
    const { idleLimits: limits, name: pool } = this.#pool;
    const counters = this.statistics.snapshot();
    return [
      {
        pool,
        max,
        idle,
        inUse,
        pending,
        idleMax: limits?.max,
        idleMin: limits?.min,
        ...counters,
        leaked: 1,
        suspected: 2,
      },
    ];
  }

  report(): MonitorReport {
    const now = this.#pool.clock.now();
    const waiting = this.#pool.waiting();
    const leases = this.#pool.leases().map((lease) => this.#leaseReport(lease, now));
    const pool: PoolReport = {
      pool: this.#pool.name,
      at: Date.now(),
      counts: this.#pool.counts(),
      leases,
      sites: leases.map(({ site, ageMs }) => ({ site, count: 1, oldestMs: ageMs })),
      untracked: 0,
      waiting: {
        count: waiting.length,
        oldestMs: now - (waiting[0]?.requestedAt ?? now),
        sites: waiting.map((each) => ({ site: each.holder ?? 'unknown', count: 1, oldestMs: 0 })),
      },
      waitP95Ms: 12,
      findings: [],
      ...this.more,
    };
    return {
      service: 'shop',
      environment: 'test',
      version: '1.2.3',
      instance: 'host-1',
      pools: [pool],
      servers: this.servers,
    };
  }

  #leaseReport(lease: LeaseInfo, now: number): LeaseReport {
    const usage = this.#pool.usage(lease);
    return {
      id: lease.id,
      kind: lease.kind,
      holder: lease.holder,
      place: undefined,
      site: lease.holder ?? 'unknown',
      request: lease.request?.label,
      ageMs: now - lease.acquiredAt,
      idleMs: now - (usage?.lastUsedAt ?? now),
      statement: usage?.statement,
      running: usage?.running ?? false,
      inTransaction: usage?.inTransaction ?? false,
      backendId: lease.backendId,
      allowed: undefined,
      verdict: undefined,
    };
  }

  history(): readonly GaugeSample[] {
    return this.samples;
  }

  alerts(): readonly SentAlert[] {
    return this.sent;
  }

  onFinding(_listener: (event: FindingEvent) => void): () => void {
    return () => undefined;
  }
}
