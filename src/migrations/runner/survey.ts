import type { CallbackMoment } from '../events.js';
import { tablesExist } from '../history/table-dialect.js';
import type { BegunScript } from '../history/journal.js';
import { mayBeAt } from '../locks/deployer.js';
import type { MigrationLock } from '../locks/lock.js';
import type { AppliedMigration } from '../migration.js';
import type { Problem } from '../migrator.js';
import type { Plan, PlanEntry, PlanOptions } from '../planning/plan.js';
import { plan } from '../planning/make-plan.js';
import { withBegun } from '../planning/with-begun.js';
import { resolveMigrations } from '../sources/resolve-migrations.js';
import type { MigrationSources } from '../sources/sources.js';
import { withRepeatableChecksums } from './repeatable-checksums.js';
import type { RunContext } from './run-context.js';
import { lockOf } from './with-lock.js';

/** What is on disk, what is in the database, and what follows from both. */
export interface Survey {
  readonly sources: MigrationSources;
  readonly hasHistory: boolean;
  readonly applied: readonly AppliedMigration[];
  readonly plan: Plan;
  /** Moments whose callbacks the next `up` runs, whether anything is pending or not. */
  readonly owed: ReadonlySet<CallbackMoment>;
  /** What failed half-way and goes on, since the journal knows how far it came. */
  readonly resumable: readonly PlanEntry[];
  /** Where files and history disagree, with what `up` does about it: it refuses all but the resumable ones. */
  readonly problems: readonly Problem[];
}

/** Reads the directories. Throws `InvalidMigrationsError`. */
export async function readSources(context: RunContext): Promise<MigrationSources> {
  const sources = await (context.sources ?? resolveMigrations(context.options));
  const migrations = await withRepeatableChecksums(sources.migrations, context.valuesFor);
  return { ...sources, migrations };
}

export interface SurveyOptions extends PlanOptions {
  /** Set where this run holds the lock: then nobody else is at what was begun. */
  readonly lock?: MigrationLock | undefined;
}

/** Reads the history, and plans. */
export async function survey(
  context: RunContext,
  sources: MigrationSources,
  { lock, ...options }: SurveyOptions = {},
): Promise<Survey> {
  const { session, history, journal } = context;
  const [hasHistory, hasJournal] = await tablesExist(session, [history, journal]);
  const applied = hasHistory ? await history.list(session) : [];
  const made = plan({
    resolved: sources.migrations,
    applied,
    options: {
      outOfOrder: context.options.outOfOrder,
      canMarkDeleted: history.canMarkDeleted,
      ...options,
    },
  });
  const { begun, owed } = hasJournal ? await journal.known(session) : journal.nothingKnown();
  if (lock !== undefined && hasJournal) await journal.forgetUnbegun(session);
  const told = begun.length > 0 && lock === undefined ? await withRunner(context, begun) : begun;
  return { sources, hasHistory: hasHistory!, applied, owed, ...withBegun(made, told) };
}

/** Says of what somebody is at who that is: whoever holds the lock, and says so of this script or of none. */
async function withRunner(
  context: RunContext,
  begun: readonly BegunScript[],
): Promise<readonly BegunScript[]> {
  const holder = await (await lockOf(context)).holder();
  if (holder === undefined) return begun;
  return begun.map((each) => (mayBeAt(holder, each.script) ? { ...each, runBy: holder } : each));
}

/** The highest applied version after a run, whose own session may have been lost at its last COMMIT. */
export async function versionAfter(
  context: RunContext,
  sources: MigrationSources,
): Promise<string | undefined> {
  const { session, database } = context;
  if (!session.lost) return versionNow(context, sources);
  const other = await database.open();
  try {
    return await versionNow({ ...context, session: other }, sources);
  } finally {
    await other.end();
  }
}

async function versionNow(
  { session, history }: RunContext,
  { migrations: resolved }: MigrationSources,
): Promise<string | undefined> {
  const applied = (await history.exists(session)) ? await history.list(session) : [];
  return plan({ resolved, applied }).version?.text;
}
