import { setLogger } from 'holdfast';
import { ManualClock } from 'holdfast/testing';
import {
  type Alert,
  AlertCentre,
  type AlertOptionsInput,
  type AlertSink,
  type Fleet,
  functionSink,
  readAlertOptions,
} from '../../../src/pool-monitor/alerts/index.js';
import type { Finding, FindingKind, Severity } from '../../../src/pool-monitor/finding.js';
import type { LeaseReport, MonitorReport, PoolReport } from '../../../src/pool-monitor/report.js';
import type { ServerReport } from '../../../src/pool-monitor/server-report.js';

export const SITE = 'OrderService.place (src/order.service.ts:42)';
export const OTHER_SITE = 'ReportService.run (src/report.service.ts:7)';

const SEVERITY: Partial<Record<FindingKind, Severity>> = {
  exhausted: 'critical',
  'self-deadlock': 'critical',
  'late-return': 'info',
};

export interface ServiceOptions {
  readonly alerts?: AlertOptionsInput;
  readonly fleet?: Fleet;
  readonly instance?: string;
  readonly clock?: ManualClock;
  /** `Date.now()` at the start. */
  readonly startsAt?: string;
  readonly service?: string;
}

/** A process with one pool, told by hand what its monitor finds, on a clock that is moved by hand. */
export class Service {
  readonly clock: ManualClock;
  /** What reached the sink `calls`, which takes every severity. */
  readonly alerts: Alert[] = [];
  readonly centre: AlertCentre;
  readonly instance: string;
  leases: LeaseReport[] = [];
  counts = { max: 10, total: 10, inUse: 4, idle: 6, pending: 0 };
  waiting: PoolReport['waiting'] = { count: 0, oldestMs: 0, sites: [] };
  server: ServerReport | undefined;
  private readonly name: string;
  private readonly startsAt: number;
  private readonly findings = new Map<string, Finding>();

  constructor({ alerts = {}, fleet, instance = 'api-1', clock, startsAt, service }: ServiceOptions = {}) {
    this.clock = clock ?? new ManualClock();
    this.instance = instance;
    this.name = service ?? 'orders-api';
    this.startsAt = Date.parse(startsAt ?? '2026-11-02T10:00:00Z');
    const calls = functionSink((alert) => void this.alerts.push(alert), {
      name: 'calls',
      minSeverity: 'info',
    });
    const sinks: readonly AlertSink[] = [calls, ...(alerts.sinks ?? [])];
    this.centre = new AlertCentre(readAlertOptions({ ...alerts, sinks }), {
      report: () => this.report(),
      fleet,
      clock: this.clock,
      wallClock: () => this.now(),
      random: () => 0,
    });
  }

  now(): number {
    return this.startsAt + this.clock.now();
  }

  report(): MonitorReport {
    const pool: PoolReport = {
      pool: 'orders',
      at: this.now(),
      counts: this.counts,
      leases: this.leases,
      sites: [],
      untracked: 0,
      waiting: this.waiting,
      waitP95Ms: 0,
      findings: [...this.findings.values()],
    };
    return {
      service: this.name,
      environment: 'production',
      version: '4.2.0',
      instance: this.instance,
      pools: [pool],
      servers: new Map(this.server ? [['orders', this.server]] : []),
    };
  }

  /** The monitor finds something, or more of it. */
  async find(kind: FindingKind, finding: Partial<Finding> = {}): Promise<void> {
    const isOfPool = ['exhausted', 'pressure', 'self-deadlock'].includes(kind);
    const site = 'site' in finding ? finding.site : isOfPool ? undefined : SITE;
    const key = `${kind}|${site}`;
    const known = this.findings.get(key);
    const next: Finding = {
      key,
      kind,
      severity: SEVERITY[kind] ?? 'warning',
      pool: 'orders',
      site,
      certainty: 'likely',
      since: this.now(),
      evidence: `Evidence of ${kind}.`,
      advice: `Advice for ${kind}.`,
      leases: [],
      count: 1,
      ...known,
      ...finding,
    };
    this.findings.set(key, next);
    this.centre.handle({ change: known ? 'updated' : 'opened', finding: next });
    await turn();
  }

  /** A lease of `SITE` leaks, or of another one. */
  async leak(lease: Partial<LeaseReport> = {}): Promise<void> {
    const site = lease.site ?? SITE;
    this.leases = [...this.leases, leaseOf({ id: this.leases.length + 1, ...lease, site })];
    const leases = this.leases.filter((other) => other.site === site && other.verdict === 'leak');
    await this.find('leak', { site, count: leases.length, leases });
  }

  /** What was found is over. */
  async end(kind: FindingKind, ended = 'All came back.', site?: string): Promise<void> {
    const [key, finding] = [...this.findings].find(
      ([, found]) => found.kind === kind && (site === undefined || found.site === site),
    )!;
    this.findings.delete(key);
    this.leases = this.leases.filter((lease) => lease.site !== finding.site);
    this.centre.handle({ change: 'closed', finding, ended });
    await turn();
  }

  /** Time goes by, in steps, so that what a timer starts has a turn. */
  async pass(ms: number): Promise<void> {
    await turn();
    this.clock.advance(ms);
    await turn();
  }

  /** `firing leak`, `resolved exhausted` …: what reached the sink `calls`. */
  get told(): string[] {
    return this.alerts.map(({ status, kind }) => `${status} ${kind}`);
  }
}

export function leaseOf(lease: Partial<LeaseReport> = {}): LeaseReport {
  return {
    id: 1,
    kind: 'client',
    holder: undefined,
    place: undefined,
    site: SITE,
    request: 'POST /orders',
    ageMs: 150_000,
    idleMs: 149_000,
    statement: 'SELECT * FROM stock WHERE item = ?',
    running: false,
    inTransaction: true,
    backendId: 4711,
    allowed: undefined,
    verdict: 'leak',
    ...lease,
  };
}

/** Lets everything that needs no more than a turn of the loop happen. */
export async function turn(): Promise<void> {
  await new Promise(setImmediate);
}

/** Waits for something that I/O brings about. Throws after 20 s, so that what never comes does not keep jest busy. */
export async function until(isTrue: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!isTrue()) {
    if (performance.now() > end) throw new Error(`This did not come about in 20 s: ${String(isTrue)}`);
    await turn();
  }
}

/** Everything that is logged from now on, as `level message {fields}`. */
export function recordLog(): string[] {
  const lines: string[] = [];
  const write =
    (level: string) =>
    (fields: object, message: string): void =>
      void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  setLogger({ debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') });
  return lines;
}

/** Throws where a line that was logged matches. */
export function refuseToLog(lines: readonly string[], pattern: RegExp): void {
  const found = lines.filter((line) => pattern.test(line));
  if (found.length > 0) throw new Error(`This was logged:\n${found.join('\n')}`);
}
