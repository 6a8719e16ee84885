import type { Finding, FindingEvent } from '../finding.js';
import type { LeaseReport, MonitorReport, PoolReport } from '../report.js';
import type { Sighting } from './fleet.js';
import { forecastFull } from './forecast.js';
import { plainText } from './plain-text.js';

/** kind + service + environment + pool + call site. */
export function alertKey(
  { kind, pool, site }: Pick<Finding, 'kind' | 'pool' | 'site'>,
  { service, environment }: Pick<MonitorReport, 'service' | 'environment'>,
): string {
  return [kind, service, environment ?? '', pool, site ?? ''].map((part) => plainText(part, 200)).join('|');
}

/** What this process sees of a finding. What is over is told as it was last, and how it ended. */
export function sightingOf(
  event: FindingEvent,
  report: MonitorReport,
  previous: Sighting | undefined,
): Sighting {
  const { finding } = event;
  const ended = event.change === 'closed' ? plainText(event.ended, 500) : undefined;
  if (ended !== undefined && previous) return { ...previous, count: finding.count, ended };
  const pool = report.pools.find(({ pool: name }) => name === finding.pool);
  const leases = leasesOf(finding, pool);
  return {
    key: alertKey(finding, report),
    kind: finding.kind,
    severity: finding.severity,
    certainty: finding.certainty,
    pool: plainText(finding.pool, 100),
    site: finding.site === undefined ? undefined : plainText(finding.site, 200),
    since: finding.since,
    evidence: plainText(finding.evidence, 1000),
    advice: plainText(finding.advice, 1000),
    count: finding.count,
    ended,
    leaked: leases.filter(({ verdict }) => verdict === 'leak').length,
    suspected: leases.filter(({ verdict }) => verdict === 'suspect').length,
    inUse: pool?.counts.inUse ?? 0,
    max: pool?.counts.max ?? 0,
    waiting: pool?.waiting.count ?? 0,
    oldestWaitMs: pool?.waiting.oldestMs ?? 0,
    fullInMs: pool && forecastFull(pool),
    statement: statementOf(leases),
  };
}

/** The leases that a finding is about, as they are now: of its call site, or of the whole pool. */
export function leasesOf(
  { site, leases }: Pick<Finding, 'site' | 'leases'>,
  pool: PoolReport | undefined,
): readonly LeaseReport[] {
  const now = pool?.leases.filter((lease) => site === undefined || lease.site === site) ?? [];
  return now.length > 0 ? now : leases;
}

function statementOf(leases: readonly LeaseReport[]): string | undefined {
  const found = leases.find(({ verdict, statement }) => verdict !== undefined && statement !== undefined);
  const statement = (found ?? leases.find((lease) => lease.statement !== undefined))?.statement;
  return statement === undefined ? undefined : plainText(statement, 500);
}
