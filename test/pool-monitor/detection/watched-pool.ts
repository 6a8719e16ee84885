import { managePool, type ManageablePool, type ManagedPool, unmanagePool } from 'holdfast';
import {
  createPoolMonitor,
  type Finding,
  type FindingEvent,
  type PoolMonitor,
  type PoolMonitorOptions,
} from 'holdfast/pool-monitor';
import { ManualClock } from 'holdfast/testing';

/** A managed pool, a monitor of it, and all that the monitor has said. */
export class WatchedPool {
  readonly clock = new ManualClock();
  readonly managed: ManagedPool;
  readonly monitor: PoolMonitor;
  readonly events: FindingEvent[] = [];

  constructor(pool: ManageablePool, options: PoolMonitorOptions = {}) {
    this.managed = managePool(pool, { name: 'shop', clock: this.clock });
    this.monitor = createPoolMonitor({
      service: 'orders',
      clock: this.clock,
      wallClock: () => this.clock.now(),
      server: { mode: 'off' },
      // What is told to whom is tested elsewhere.
      alerts: { sinks: [] },
      ...options,
    });
    this.monitor.onFinding((event) => void this.events.push(event));
    this.monitor.start();
  }

  /** `opened leak`, in order. */
  get lines(): string[] {
    return this.events.map(({ change, finding }) => `${change} ${finding.kind}`);
  }

  get findings(): readonly Finding[] {
    return this.monitor.report().pools[0]!.findings;
  }

  finding(kind: Finding['kind']): Finding {
    const found = this.findings.find((finding) => finding.kind === kind);
    if (!found)
      throw new Error(`no ${kind} among: ${this.findings.map((each) => each.kind).join(', ') || 'nothing'}`);
    return found;
  }

  async end(): Promise<void> {
    await this.monitor.stop();
    unmanagePool(this.managed);
  }
}
