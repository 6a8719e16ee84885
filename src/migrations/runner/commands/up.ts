import { MissingRightsError, ValidationFailedError } from '../../errors.js';
import type { MigrationLock } from '../../locks/lock.js';
import type { HistoryType, ResolvedMigration } from '../../migration.js';
import type { Problem, UpOptions, UpResult } from '../../migrator.js';
import type { MigrationTask } from '../apply-migration.js';
import { highestOf } from '../../planning/runs.js';
import { createHome, createOwn } from '../create-own.js';
import { loadRunTasks } from '../load-run-tasks.js';
import { requireAdoptedSchema } from '../foreign-schema.js';
import type { RunContext } from '../run-context.js';
import type { RunMoments } from '../run-tasks.js';
import { RunSignals } from '../signals.js';
import { readSources, type Survey, survey } from '../survey.js';
import { whileWaiting } from '../while-waiting.js';
import { withLock } from '../with-lock.js';

const MOMENTS: RunMoments = {
  before: 'beforeMigrate',
  beforeEach: 'beforeEachMigrate',
  afterEach: 'afterEachMigrate',
  afterEachError: 'afterEachMigrateError',
  after: 'afterMigrate',
  afterApplied: 'afterMigrateApplied',
  afterError: 'afterMigrateError',
};

/**
 * Applies what is pending. Where nothing is, it takes no lock and changes nothing, unless callbacks of an earlier run
 * failed after what they belong to was applied: they run again.
 *
 * Throws `ValidationFailedError` where files and history contradict each other, `LockBusyError`, and for the migration
 * that failed `MigrationFailedError`, `VerifyFailedError`, `MigrationWarningError` or `MigrationInterruptedError`.
 */
export async function up(context: RunContext, options: UpOptions = {}): Promise<UpResult> {
  const signals = new RunSignals({ stop: options.signal, cancel: options.cancelSignal });
  const planOptions = { to: options.to, outOfOrder: options.outOfOrder ?? context.options.outOfOrder };
  const sources = await readSources(context);
  // What was seen without the lock is seen with it once more.
  const told = new Set<string>();
  const look = async (lock?: MigrationLock): Promise<Look> => {
    const found = await survey(context, sources, { ...planOptions, lock });
    tellNotes(context, found, told);
    refuseProblems(found);
    return { found, tasks: tasksOf(found) };
  };

  const before = await look();
  if (isIdle(before)) return { applied: [], version: before.found.plan.version?.text };
  if (!before.found.hasHistory) await requireAdoptedSchema(context);
  requireWritable(context);
  const loading = whileWaiting(() => loadRunTasks(context.session));
  return withLock(context, signals, async (lock) => {
    // Whoever held the lock may have applied them.
    const now = await look(lock);
    const { found, tasks } = now;
    if (isIdle(now)) return { applied: [], version: found.plan.version?.text };
    if (!found.hasHistory) {
      await requireAdoptedSchema(context);
      await createOwn(context);
    }
    await createHome(context);
    const runTasks = await loading;
    const applied = await runTasks(
      { context, lock, signals, callbacks: sources.callbacks, rank: lastRank(found) },
      { tasks, step: options.step, moments: MOMENTS, verb: 'applied', owed: found.owed },
    );
    const versions = tasks.slice(0, applied.length).map(({ migration }) => migration.version);
    return { applied, version: highestOf([found.plan.version, ...versions])?.text };
  });
}

interface Look {
  readonly found: Survey;
  readonly tasks: readonly MigrationTask[];
}

function isIdle({ found, tasks }: Look): boolean {
  return tasks.length === 0 && found.owed.size === 0;
}

/** Tells the notes that `told` does not have yet. */
export function tellNotes({ emit }: RunContext, { plan, owed }: Survey, told = new Set<string>()): void {
  const notes = [...owed].map((moment) => ({
    script: undefined,
    message: `${moment} failed in an earlier run: \`up\` runs it again.`,
  }));
  for (const { script, message } of [...notes, ...plan.notes]) {
    const key = `${script} ${message}`;
    if (!told.has(key)) emit({ kind: 'note', message, ...(script === undefined ? {} : { script }) });
    told.add(key);
  }
}

/** What failed half-way goes on first. */
export function tasksOf({ plan, resumable }: Survey): readonly MigrationTask[] {
  return [
    ...resumable.map(({ migration, row }) => ({
      migration: migration!,
      type: typeOf(migration!),
      // A repeatable one keeps the row of its last run, which was whole.
      failedRow: row?.success === false ? row : undefined,
    })),
    ...plan.pending.map((migration) => ({ migration, type: typeOf(migration) })),
  ];
}

function typeOf({ kind, body }: ResolvedMigration): HistoryType {
  if (kind === 'baseline') return 'SQL_BASELINE';
  return body.kind === 'code' ? 'JDBC' : 'SQL';
}

export function lastRank({ applied }: Survey): number {
  return Math.max(0, ...applied.map(({ installedRank }) => installedRank));
}

/** Throws `ValidationFailedError` with everything that has to be settled first. */
export function refuseProblems({ plan, resumable }: Survey): void {
  const goesOn = new Set(resumable.map(({ migration }) => migration!.script));
  const problems = plan.problems.filter(({ state, script }) => !(state === 'FAILED' && goesOn.has(script)));
  if (problems.length > 0) throw new ValidationFailedError(describeProblems(problems));
}

export function describeProblems(problems: readonly Problem[]): string {
  const [first] = problems;
  if (problems.length === 1) return first!.message;
  const lines = problems.map(({ message }) => `  ${message}`);
  return `${problems.length} migrations contradict the history:\n${lines.join('\n')}`;
}

export function requireWritable({ session, database }: RunContext): void {
  if (!session.server.isReadOnly) return;
  throw new MissingRightsError(
    `${database.description} only reads: it is a replica, or read-only by its settings. Give the url of the primary.`,
  );
}
