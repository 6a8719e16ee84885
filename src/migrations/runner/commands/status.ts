import type { StatusEntry, StatusResult } from '../../migrator.js';
import type { PlanEntry } from '../../planning/plan.js';
import type { RunContext } from '../run-context.js';
import { readSources, type Survey, survey } from '../survey.js';

/** What is applied, what is pending, and why `up` would refuse. Takes no lock and changes nothing. */
export async function status(context: RunContext): Promise<StatusResult> {
  const { plan, resumable, problems } = await survey(context, await readSources(context));
  return {
    database: context.database.description,
    history: context.history.table,
    version: plan.version?.text,
    entries: plan.entries.map(entryOf),
    pending: pendingOf({ plan, resumable }),
    problems,
  };
}

/** What the next `up` runs: what failed half-way goes on first. */
export function pendingOf({ plan, resumable }: Pick<Survey, 'plan' | 'resumable'>): readonly string[] {
  return [
    ...resumable.map(({ migration }) => migration!.script),
    ...plan.pending.map(({ script }) => script),
  ];
}

function entryOf({ migration, row, state }: PlanEntry): StatusEntry {
  const named = migration ?? row!;
  return {
    kind: migration?.kind ?? (row?.version === undefined ? 'repeatable' : 'versioned'),
    version: named.version?.text,
    description: named.description,
    script: named.script,
    state,
    installedOn: row?.installedOn,
    installedBy: row?.installedBy,
    executionTimeMs: row?.executionTimeMs,
  };
}
