import type { FindingKind } from '../finding.js';
import type { Sighting } from './fleet.js';
import { formatMs } from '../format.js';

/** What a title is made of: one problem, summed over the processes that see it. */
export interface Headline {
  readonly kind: FindingKind;
  readonly pool: string;
  readonly site: string | undefined;
  readonly leaked: number;
  readonly suspected: number;
  readonly count: number;
  readonly inUse: number;
  readonly max: number;
  readonly waiting: number;
}

/** One line that says what is wrong and where. */
export function titleOf(problem: Headline): string {
  const { kind, pool, inUse, max, waiting } = problem;
  const who = problem.site ?? `pool ${pool}`;
  const times = problem.count > 1 ? ` (${problem.count} times)` : '';
  switch (kind) {
    case 'leak':
      return `${connections(Math.max(problem.leaked, 1))} leaked by ${who}`;
    case 'suspect':
      return `${connections(Math.max(problem.suspected, 1))} may be leaking at ${who}`;
    case 'exhausted':
      // Told when the worst is over, the counts of now would contradict it; the evidence has those of then.
      return `Pool ${pool} is exhausted${inUse >= max ? `: ${inUse} of ${max} in use, ${waiting} waiting` : ''}`;
    case 'pressure':
      return `Pool ${pool} is under pressure: ${inUse} of ${max} in use, ${waiting} waiting`;
    case 'self-deadlock':
      return `Pool ${pool} waits for itself${problem.site === undefined ? '' : ` at ${problem.site}`}: every holder needs one more connection`;
    case 'dirty-release':
      return `${who} gave a connection back inside a transaction${times}`;
    case 'double-release':
      return `${who} released a connection twice${times}`;
    case 'stale-use':
      return `${who} used a connection after its release${times}`;
    case 'long-transaction':
      return `${who} keeps a transaction open`;
    case 'late-return':
      return `${who} gave a connection back late${times}: slow, not leaked`;
  }
}

function connections(count: number): string {
  return count === 1 ? '1 connection' : `${count} connections`;
}

/** `3, certain; 1 more suspected`; `undefined` where no lease is under suspicion. */
export function leakCounts(leaked: number, suspected: number, certain: boolean): string | undefined {
  if (leaked === 0) return suspected === 0 ? undefined : `${suspected} suspected`;
  const verdict = certain ? `${leaked}, certain` : `${leaked}`;
  return suspected === 0 ? verdict : `${verdict}; ${suspected} more suspected`;
}

/** `7, the oldest for 12 s`. */
export function waitingText({ waiting, oldestWaitMs }: Pick<Sighting, 'waiting' | 'oldestWaitMs'>): string {
  if (waiting === 0) return 'nobody';
  return oldestWaitMs > 0 ? `${waiting}, the oldest for ${formatMs(oldestWaitMs)}` : `${waiting}`;
}
