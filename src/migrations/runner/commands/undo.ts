import { ValidationFailedError } from '../../errors.js';
import type { MigrationLock } from '../../locks/lock.js';
import type { Problem, UndoOptions, UndoResult } from '../../migrator.js';
import { planUndo } from '../../planning/make-undo-plan.js';
import type { UndoPlan } from '../../planning/plan.js';
import type { MigrationTask } from '../apply-migration.js';
import type { RunContext } from '../run-context.js';
import { type RunMoments, runTasks } from '../run-tasks.js';
import { RunSignals } from '../signals.js';
import { readSources, type Survey, survey, versionAfter } from '../survey.js';
import { withLock } from '../with-lock.js';
import { describeProblems, lastRank, requireWritable } from './up.js';

const MOMENTS: RunMoments = {
  before: 'beforeUndo',
  beforeEach: 'beforeEachUndo',
  afterEach: 'afterEachUndo',
  after: 'afterUndo',
  afterError: 'afterUndoError',
};

/**
 * Takes back the last applied version, or every one above `to`, by its undo script. Throws `ValidationFailedError` for a
 * version that has none, and what `up` throws for a script that fails.
 */
export async function undo(context: RunContext, options: UndoOptions = {}): Promise<UndoResult> {
  const signals = new RunSignals({ stop: options.signal, cancel: options.cancelSignal });
  const sources = await readSources(context);
  const look = async (
    lock?: MigrationLock,
  ): Promise<{ plan: UndoPlan; rank: number; version: string | undefined }> => {
    const found = await survey(context, sources, { lock });
    const plan = planUndo({
      resolved: sources.migrations,
      applied: found.applied,
      options: { to: options.to, step: options.step },
    });
    const problems = [...plan.problems, ...halfRun(found)];
    if (problems.length > 0) throw new ValidationFailedError(describeProblems(problems));
    return { plan, rank: lastRank(found), version: found.plan.version?.text };
  };
  const before = await look();
  if (before.plan.steps.length === 0) return { undone: [], version: before.version };
  requireWritable(context);
  return withLock(context, signals, async (lock) => {
    const { plan, rank } = await look(lock);
    const undone = await runTasks(
      { context, lock, signals, callbacks: sources.callbacks, rank },
      { tasks: plan.steps.map(taskOf), moments: MOMENTS, verb: 'undone' },
    );
    return { undone, version: await versionAfter(context, sources) };
  });
}

/** What a killed run began has no row that `planUndo()` could see: what lies below it is not taken away from under it. */
function halfRun({ plan }: Survey): readonly Problem[] {
  return plan.entries.flatMap(({ state, begun, row, migration }) => {
    const isBegun = (state === 'FAILED' && row?.success !== false) || state === 'MISSING_FAILED';
    if (begun === undefined || !isBegun || migration?.kind === 'undo') return [];
    const message = `${begun.script} failed half-way: its run did not end. Bring it to an end first: \`up\` says how.`;
    return [{ script: begun.script, state, message }];
  });
}

function taskOf({ undo: migration }: UndoPlan['steps'][number]): MigrationTask {
  return { migration, type: migration.body.kind === 'code' ? 'UNDO_JDBC' : 'UNDO_SQL' };
}
