import type { AppliedMigration } from '../migration.js';
import type { Plan, PlanEntry, PlanOptions } from '../planning/plan.js';
import type { Problem } from '../migrator.js';
import { plan } from '../planning/make-plan.js';
import { resumableProblemOf } from '../planning/problems.js';
import { resolveMigrations } from '../sources/resolve-migrations.js';
import type { MigrationSources } from '../sources/sources.js';
import type { RunContext } from './run-context.js';

/** What is on disk, what is in the database, and what follows from both. */
export interface Survey {
  readonly sources: MigrationSources;
  readonly hasHistory: boolean;
  readonly applied: readonly AppliedMigration[];
  readonly plan: Plan;
  /** Of the failed ones those that the journal lets go on. */
  readonly resumable: readonly PlanEntry[];
  /** Where files and history disagree, with what `up` does about it: it refuses all but the resumable ones. */
  readonly problems: readonly Problem[];
}

/** Reads the directories. Throws `InvalidMigrationsError`. */
export function readSources({ options }: RunContext): Promise<MigrationSources> {
  return resolveMigrations(options);
}

/** Reads the history, and plans. */
export async function survey(
  context: RunContext,
  sources: MigrationSources,
  options: PlanOptions = {},
): Promise<Survey> {
  const { session, history, journal } = context;
  const hasHistory = await history.exists(session);
  const applied = hasHistory ? await history.list(session) : [];
  const made = plan({
    resolved: sources.migrations,
    applied,
    options: { outOfOrder: context.options.outOfOrder, ...options },
  });
  const failed = made.failed.filter(({ migration }) => migration !== undefined);
  const begun =
    failed.length > 0 && (await journal.exists(session))
      ? new Set(await journal.scripts(session))
      : new Set();
  const resumable = failed.filter(({ migration }) => begun.has(migration!.script));
  const goesOn = new Map(resumable.map((entry) => [entry.migration!.script, entry]));
  const problems = made.problems.map((problem) => {
    const entry = problem.state === 'FAILED' ? goesOn.get(problem.script) : undefined;
    return entry === undefined ? problem : resumableProblemOf(entry);
  });
  return { sources, hasHistory, applied, plan: made, resumable, problems };
}

/** The highest applied version after a run, whose own session may have been lost at its last COMMIT. */
export async function versionAfter(
  context: RunContext,
  sources: MigrationSources,
): Promise<string | undefined> {
  const { session, database } = context;
  if (!session.lost) return (await survey(context, sources)).plan.version?.text;
  const other = await database.open();
  try {
    return (await survey({ ...context, session: other }, sources)).plan.version?.text;
  } finally {
    await other.end();
  }
}
