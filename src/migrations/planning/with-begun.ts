import type { BegunScript } from '../history/journal.js';
import type { Problem } from '../migrator.js';
import type { MigrationState } from '../state.js';
import type { Plan, PlanEntry } from './plan.js';
import { begunProblemOf, resumableProblemOf } from './problems.js';

/** A plan, and what the journal adds to it. */
export interface BegunPlan {
  readonly plan: Plan;
  /** What `up` goes on with before anything else: what failed half-way, and how far it came is known. */
  readonly resumable: readonly PlanEntry[];
  /** Where files and history disagree, with what `up` does about it: it refuses all but the resumable ones. */
  readonly problems: readonly Problem[];
}

/** A script of these states may have been begun; of others a later row says more than the journal. */
const MAY_BE_BEGUN: ReadonlySet<MigrationState> = new Set([
  'PENDING',
  'OUTDATED',
  'ABOVE_TARGET',
  'OUT_OF_ORDER_PENDING',
  'AVAILABLE',
]);

/**
 * Adds what the journal knows and the history does not: a run that was killed wrote no row. What it was at is FAILED, or
 * MISSING_FAILED where its file is gone, as if it had. What somebody is at right now is RUNNING, and no problem. Pure.
 */
export function withBegun(plan: Plan, begun: readonly BegunScript[]): BegunPlan {
  if (begun.length === 0) return { plan, resumable: [], problems: plan.problems };
  const left = new Map(begun.map((each) => [each.script, each]));
  const known = new Map<string, BegunScript>();
  const derived: PlanEntry[] = [];
  const entries = plan.entries.map((entry) => {
    const script = (entry.migration ?? entry.row)?.script ?? '';
    const found = left.get(script);
    if (found === undefined) return entry;
    known.set(script, found);
    const now: PlanEntry = { ...entry, state: found.runBy ? 'RUNNING' : 'FAILED', begun: found };
    if (!MAY_BE_BEGUN.has(entry.state)) return found.runBy && entry.state === 'FAILED' ? now : entry;
    derived.push(now);
    return now;
  });
  const gone = begun
    .filter(({ script }) => !known.has(script))
    .map((each): PlanEntry => ({ state: each.runBy ? 'RUNNING' : 'MISSING_FAILED', begun: each }));
  const isUndo = ({ migration }: PlanEntry): boolean => migration?.kind === 'undo';
  const written = plan.failed.filter(
    (entry) => entry.migration !== undefined && !isUndo(entry) && known.has(entry.migration.script),
  );
  const scripts = new Set(derived.map(({ migration }) => migration!.script));
  const told = plan.problems
    .filter(({ script }) => !scripts.has(script) && known.get(script)?.runBy === undefined)
    .map((problem) => {
      const entry = written.find(({ migration }) => migration!.script === problem.script);
      return entry === undefined ? problem : resumableProblemOf(entry, known.get(problem.script)!);
    });
  const stopped = [...derived, ...gone].filter(({ state }) => state !== 'RUNNING');
  const problems = [...told, ...stopped.map((entry) => begunProblemOf(entry, entry.begun!))];
  return {
    plan: {
      ...plan,
      entries: [...entries, ...gone],
      pending: plan.pending.filter(({ script }) => !scripts.has(script)),
      problems,
    },
    problems,
    resumable: [...written, ...derived.filter((entry) => !isUndo(entry))],
  };
}
