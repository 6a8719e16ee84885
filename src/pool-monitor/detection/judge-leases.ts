import { counted, formatMs } from '../format.js';
import type { Severity } from '../finding.js';
import type { Thresholds } from '../thresholds.js';
import type { FindingDraft } from './finding-book.js';
import type { TrackedLease } from './tracked-lease.js';

const RELEASE_IN_FINALLY =
  'Give it back on every path: `try { … } finally { client.release(); }`, with TypeORM `await queryRunner.release()` in the finally block, or let @Transactional() do it.';
const SHORTER_TRANSACTION =
  'Keep calls to other services and waits for users out of the transaction, or give it a timeoutMs.';

/** What a sweep knows of the pool that the leases are of. */
export interface PoolFacts {
  readonly pool: string;
  readonly max: number;
  readonly inUse: number;
  readonly pressureShare: number;
}

/** The verdict on one lease, by its thresholds. */
export function verdictOf(tracked: TrackedLease, thresholds: Thresholds): TrackedLease['verdict'] {
  const { lease, idleMs, afterRequestMs, allowed, abandoned } = tracked;
  if (lease.kind !== 'client' || allowed !== undefined) return undefined;
  if (abandoned || idleMs >= thresholds.leakAfterMs) return 'leak';
  const { leakAfterRequestMs } = thresholds;
  if (afterRequestMs > leakAfterRequestMs && idleMs >= leakAfterRequestMs) return 'leak';
  return idleMs >= thresholds.suspectAfterMs ? 'suspect' : undefined;
}

/** Leaks and suspects, one finding for each call site. */
export function judgeLeaks(tracked: readonly TrackedLease[], facts: PoolFacts): FindingDraft[] {
  const found = tracked.filter(({ verdict }) => verdict !== undefined);
  return [...groupBySite(found)].flatMap(([site, leases]) => {
    const leaks = leases.filter(({ verdict }) => verdict === 'leak');
    // What is only suspected beside a leak of the same place is the next of it.
    return leaks.length > 0 ? leakOf(site, leaks, facts) : suspectOf(site, leases, facts.pool);
  });
}

function leakOf(site: string, leaks: readonly TrackedLease[], facts: PoolFacts): FindingDraft {
  const abandoned = leaks.filter((each) => each.abandoned);
  const afterRequest = leaks.find(({ lease }) => lease.request?.endedAt !== undefined);
  const isOne = leaks.length === 1;
  const evidence = [
    `${counted(leaks.length, 'connection')} of pool "${facts.pool}" taken by ${site} ${isOne ? 'is' : 'are'} out without activity: the oldest was taken ${formatMs(oldest(leaks).ageMs)} ago and idle for ${formatMs(oldest(leaks).idleMs)}.`,
    abandoned.length > 0 &&
      `${isOne ? 'It' : `${abandoned.length} of them`} can never be released: what held ${abandoned.length === 1 ? 'it' : 'them'} was garbage-collected.`,
    afterRequest &&
      `Its request, ${afterRequest.lease.request!.label}, ended ${formatMs(afterRequest.afterRequestMs)} ago.`,
    `The pool has ${facts.inUse} of ${facts.max} in use.`,
  ];
  return {
    kind: 'leak',
    severity: severityOfLeak(leaks.length, facts),
    pool: facts.pool,
    site,
    certainty: abandoned.length > 0 ? 'certain' : 'likely',
    evidence: evidence.filter(Boolean).join(' '),
    advice: RELEASE_IN_FINALLY,
    leases: leaks.map((each) => each.report()),
    count: leaks.length,
  };
}

/** Critical once the pool is nearly full, or half of it is lost. */
function severityOfLeak(leaked: number, { max, inUse, pressureShare }: PoolFacts): Severity {
  return inUse >= max * pressureShare || leaked * 2 >= max ? 'critical' : 'warning';
}

function suspectOf(site: string, suspects: readonly TrackedLease[], pool: string): FindingDraft {
  const { idleMs } = oldest(suspects);
  return {
    kind: 'suspect',
    severity: 'info',
    pool,
    site,
    certainty: 'likely',
    evidence: `${counted(suspects.length, 'connection')} of pool "${pool}" taken by ${site} ${suspects.length === 1 ? 'has' : 'have'} been out without activity for up to ${formatMs(idleMs)}.`,
    advice: `Nothing to do yet: it may be slow. Where it is held on purpose, take it inside allowHeld('…', …). ${RELEASE_IN_FINALLY}`,
    leases: suspects.map((each) => each.report()),
    count: suspects.length,
  };
}

/** Transactions that are open for too long, one finding for each call site. A lease that leaked is reported as that. */
export function judgeTransactions(
  tracked: readonly TrackedLease[],
  facts: PoolFacts,
  limitOf: (tracked: TrackedLease) => Thresholds,
): FindingDraft[] {
  const long = tracked.filter(
    (each) =>
      each.verdict === undefined &&
      each.allowed === undefined &&
      each.inTransactionMs >= limitOf(each).longTransactionMs,
  );
  return [...groupBySite(long)].map(([site, leases]) => {
    const idle = leases.find((each) => !each.usage.running && each.idleMs >= limitOf(each).leakAfterMs);
    const { inTransactionMs, idleMs } = oldest(leases);
    return {
      kind: 'long-transaction',
      severity: 'warning',
      pool: facts.pool,
      site,
      certainty: 'certain',
      evidence:
        `${counted(leases.length, 'transaction')} of ${site} ${leases.length === 1 ? 'is' : 'are'} open on pool "${facts.pool}", the longest for ${formatMs(inTransactionMs)}` +
        (idle
          ? `; nothing has been sent for ${formatMs(idleMs)}: its method waits for something else than the database, or for ever.`
          : '.'),
      advice: SHORTER_TRANSACTION,
      leases: leases.map((each) => each.report()),
      count: leases.length,
    };
  });
}

function oldest(tracked: readonly TrackedLease[]): TrackedLease {
  return tracked.reduce((first, each) => (each.ageMs > first.ageMs ? each : first));
}

function groupBySite(tracked: readonly TrackedLease[]): Map<string, TrackedLease[]> {
  const groups = new Map<string, TrackedLease[]>();
  for (const each of tracked) {
    const group = groups.get(each.site);
    if (group) group.push(each);
    else groups.set(each.site, [each]);
  }
  return groups;
}
