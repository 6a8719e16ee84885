import type { BegunScript } from '../../history/journal.js';
import type { HistoryType, ResolvedMigration } from '../../migration.js';
import type { StatusEntry, StatusResult } from '../../migrator.js';
import type { PlanEntry } from '../../planning/plan.js';
import { parseFileName } from '../../sources/file-name.js';
import { adoptionProblems } from '../foreign-schema.js';
import type { RunContext } from '../run-context.js';
import { readSources, type Survey, survey } from '../survey.js';

/** Rows of no migration: that Flyway created the schema, and that `repair` marked another row as DELETED. */
const NO_MIGRATION: ReadonlySet<HistoryType> = new Set(['SCHEMA', 'DELETE']);

/** What is applied, what is pending, and why `up` would refuse. Takes no lock and changes nothing. */
export async function status(context: RunContext): Promise<StatusResult> {
  const found = await survey(context, await readSources(context));
  const { plan, resumable, owed } = found;
  return {
    database: context.database.description,
    history: context.history.table,
    version: plan.version?.text,
    entries: plan.entries.filter(({ row }) => row === undefined || !NO_MIGRATION.has(row.type)).map(entryOf),
    pending: pendingOf({ plan, resumable }),
    owed: [...owed],
    runBy: plan.entries.find(({ state }) => state === 'RUNNING')?.begun?.runBy,
    problems: [...found.problems, ...(await adoptionProblems(context, found))],
  };
}

/** What the next `up` runs: what failed half-way goes on first. */
export function pendingOf({ plan, resumable }: Pick<Survey, 'plan' | 'resumable'>): readonly string[] {
  return [
    ...resumable.map(({ migration }) => migration!.script),
    ...plan.pending.map(({ script }) => script),
  ];
}

function entryOf({ migration, row, state, begun }: PlanEntry): StatusEntry {
  const named: Pick<ResolvedMigration, 'version' | 'description' | 'script'> =
    migration ?? row ?? namedBy(begun!);
  return {
    kind: migration?.kind ?? (named.version === undefined ? 'repeatable' : 'versioned'),
    version: named.version?.text,
    description: named.description,
    script: named.script,
    state,
    installedOn: row?.installedOn,
    installedBy: row?.installedBy,
    executionTimeMs: row?.executionTimeMs,
  };
}

/** Of a file that is gone its name is what is left. */
function namedBy({ script }: BegunScript): Pick<ResolvedMigration, 'version' | 'description' | 'script'> {
  const name = parseFileName(script.slice(script.lastIndexOf('/') + 1).replace(/#down$/, ''));
  return name.kind === 'migration'
    ? {
        ...(name.version === undefined ? {} : { version: name.version }),
        description: name.description,
        script,
      }
    : { description: script, script };
}
