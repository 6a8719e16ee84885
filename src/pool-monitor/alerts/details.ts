import type { LeaseReport, MonitorReport, PoolReport } from '../report.js';
import type { ServerReport } from '../server-report.js';
import { formatMs } from '../format.js';
import type { Sighting } from './fleet.js';
import { plainText } from './plain-text.js';
import { describeBlocking, describeSession } from './server-text.js';
import type { Subject } from './subject.js';

const MOST_LINES = 40;
const MOST_OF_A_SORT = 12;

/** What does not fit the message itself: the leases, who waits, what the server shows. One line each, at most 40. */
export function detailsOf({ problems }: Subject, report: MonitorReport): readonly string[] {
  const sightings = problems.flatMap(({ sightings: seen }) => [...seen.values()]);
  const name = sightings[0]?.pool;
  const pool = report.pools.find((candidate) => candidate.pool === name);
  const server = name === undefined ? undefined : report.servers.get(name);
  const lines = [
    ...(pool ? [...leaseLines(pool, sightings), ...waitLines(pool)] : []),
    ...(server ? serverLines(server) : []),
  ];
  return lines.slice(0, MOST_LINES).map((line) => plainText(line, 400));
}

function leaseLines(pool: PoolReport, sightings: readonly Sighting[]): string[] {
  const sites = new Set(sightings.map(({ site }) => site));
  const leases = pool.leases.filter(({ site }) => sites.has(undefined) || sites.has(site));
  return listed(leases.map(leaseLine), 'leases');
}

function leaseLine(lease: LeaseReport): string {
  const backend = lease.backendId === undefined ? '' : `, pid ${lease.backendId}`;
  const traits = [
    lease.verdict,
    lease.running ? 'runs a statement' : `idle for ${formatMs(lease.idleMs)}`,
    lease.inTransaction ? 'in a transaction' : undefined,
    lease.request,
    lease.allowed === undefined ? undefined : `held on purpose: ${lease.allowed}`,
  ].filter((trait) => trait !== undefined);
  return `lease ${lease.id}${backend}: ${lease.site}, out for ${formatMs(lease.ageMs)}, ${traits.join(', ')}`;
}

function waitLines({ waiting }: PoolReport): string[] {
  return listed(
    waiting.sites.map(
      ({ site, count, oldestMs }) => `waiting: ${count} at ${site}, the oldest for ${formatMs(oldestMs)}`,
    ),
    'call sites that wait',
  );
}

function serverLines({ blocking, idleInTransaction, notes }: ServerReport): string[] {
  return [
    ...listed(blocking.map(describeBlocking), 'that are blocked'),
    ...listed(
      idleInTransaction.map((session) => {
        const since = session.stateMs === undefined ? '' : ` for ${formatMs(session.stateMs)}`;
        return `idle in transaction: ${describeSession(session)}${since}`;
      }),
      'idle in transaction',
    ),
    ...notes.map((note) => `note: ${note}`),
  ];
}

function listed(lines: readonly string[], what: string): string[] {
  const more = lines.length - MOST_OF_A_SORT;
  return more > 0 ? [...lines.slice(0, MOST_OF_A_SORT), `… and ${more} more ${what}`] : [...lines];
}
