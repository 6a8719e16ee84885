import { messageOf } from '../../core/index.js';
import type { CallbackMoment } from '../events.js';
import type { AppliedScript } from '../migrator.js';
import { MigrationApplier, type ApplierParts, type MigrationTask } from './apply-migration.js';
import { CallbackFailure } from './callbacks.js';
import { describeFailure, type RunStory } from './describe-failure.js';
import { HiddenValues } from './hide-values.js';
import { ScriptFailure, ScriptProblem } from './script-problem.js';
import { requireStorableNames } from './storable-names.js';
import { runSequence } from './umzug-sequence.js';

/** The callbacks around a run. */
export interface RunMoments {
  readonly before: CallbackMoment;
  readonly beforeEach: CallbackMoment;
  readonly afterEach: CallbackMoment;
  readonly afterEachError?: CallbackMoment;
  readonly after: CallbackMoment;
  readonly afterApplied?: CallbackMoment;
  readonly afterError: CallbackMoment;
}

export interface TaskOptions {
  readonly tasks: readonly MigrationTask[];
  readonly step?: number | undefined;
  readonly moments: RunMoments;
  /** For messages: `applied`, `undone`. */
  readonly verb: Exclude<RunStory['verb'], 'tried'>;
  /** Moments whose callbacks failed in an earlier run, after what they belong to was applied. */
  readonly owed?: ReadonlySet<CallbackMoment>;
}

/** How many that are next are looked at: one to be sent, and one to write down with it. */
const LOOK_AHEAD = 2;

/** Runs the tasks in their order, with the callbacks around them. Throws what `describeFailure()` makes of a failure. */
export async function runTasks(
  parts: ApplierParts,
  { tasks, step, moments, verb, owed = new Set() }: TaskOptions,
): Promise<readonly AppliedScript[]> {
  const { emit, session, journal } = parts.context;
  const migrations = tasks.slice(0, step).map(({ migration }) => migration);
  await requireStorableNames(parts.context, migrations);
  const applier = new MigrationApplier(parts);
  const { callbacks } = applier;
  const applied: AppliedScript[] = [];
  const scripts = migrations.map(({ script }) => script);
  let current: string | undefined;
  emit({ kind: 'planned', to: verb === 'undone' ? 'undo' : 'run', scripts });
  const release = parts.signals.cancels(session);
  /** Once they have run, nothing is owed of that moment. */
  const runAfter = async (moment: CallbackMoment): Promise<void> => {
    await callbacks.run(moment);
    if (owed.has(moment)) await journal.settle(session, moment);
  };
  const mayGoAhead = ![moments.beforeEach, moments.afterEach].some((each) => callbacks.has(each));
  try {
    await callbacks.run(moments.before);
    const wasAppliedBefore = [moments.afterEach, moments.afterApplied].some((each) => each && owed.has(each));
    if (owed.has(moments.afterEach)) await runAfter(moments.afterEach);
    await runSequence(
      tasks.map((task, index) => ({
        script: task.migration.script,
        path: task.migration.body.path,
        run: async () => {
          const { script, body } = task.migration;
          const isSent =
            applier.sentAhead === script && !(parts.signals.isAborted && (await applier.recall()));
          if (!isSent) refuseToStart(parts);
          current = script;
          emit({ kind: 'started', script, number: applied.length + 1, of: scripts.length });
          await callbacks.run(moments.beforeEach);
          const next = tasks.slice(index + 1, Math.min(index + 1 + LOOK_AHEAD, scripts.length));
          const done = await applier.apply(task, { tasks: next, mayGoAhead });
          applied.push(done);
          current = undefined;
          emit({ kind: 'applied', ...pick(done) });
          if (done.statements === 0) emit({ kind: 'note', script, message: EMPTY[verb][body.kind] });
          await callbacks.run(moments.afterEach);
        },
      })),
      { step },
    );
    if (moments.afterApplied && (applied.length > 0 || wasAppliedBefore))
      await runAfter(moments.afterApplied);
    await runAfter(moments.after);
    return applied;
  } catch (error) {
    const script =
      error instanceof CallbackFailure ? error.script : (current ?? scripts[applied.length] ?? '');
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    const hidden = new HiddenValues(parts.context.options.placeholders);
    const stoppedBefore =
      failure.problem.kind === 'interrupted' && current === undefined && !(error instanceof CallbackFailure);
    if (!stoppedBefore) emit({ kind: 'failed', script, message: hidden.in(failure.problem.message) });
    if (error instanceof CallbackFailure && verb === 'applied') await remember(parts, error, moments);
    if (moments.afterEachError && current !== undefined && !(error instanceof CallbackFailure))
      await callbacks.runAfterError(moments.afterEachError);
    await callbacks.runAfterError(moments.afterError);
    const left = scripts.slice(applied.length).filter((each) => stoppedBefore || each !== script);
    const ahead = applier.sentAhead;
    throw describeFailure(failure, { script, applied, left, ahead, verb, hidden, stoppedBefore });
  } finally {
    await applier.end();
    release();
  }
}

const ALL_THE_SAME =
  'It counts as applied all the same, and to fill it now is to edit an applied file: write a new one.';
const NOT_TAKEN_BACK = 'What its version made stays, which counts as undone all the same.';

const EMPTY = {
  applied: {
    sql: `It holds no statement. ${ALL_THE_SAME}`,
    code: `Its \`up\` sent no statement. ${ALL_THE_SAME}`,
  },
  undone: {
    sql: `It holds no statement. ${NOT_TAKEN_BACK}`,
    code: `Its \`down\` sent no statement. ${NOT_TAKEN_BACK}`,
  },
};

/** What it belongs to is applied and will not come again, so that the callback would not either. */
async function remember(
  { context: { session, journal, emit } }: ApplierParts,
  { moment, script }: CallbackFailure,
  { afterEach, afterApplied, after }: RunMoments,
): Promise<void> {
  if (moment !== afterEach && moment !== afterApplied && moment !== after) return;
  try {
    await journal.owe(session, moment);
  } catch (error) {
    emit({
      kind: 'note',
      script,
      message: `That it has to run again could not be written into ${journal.table} (${messageOf(error)}): where nothing else is pending, run it by hand.`,
    });
  }
}

/** At the boundary between two migrations. */
function refuseToStart({ signals, context: { session } }: ApplierParts): void {
  const left = 'It was not begun.';
  try {
    signals.check();
  } catch (error) {
    throw new ScriptFailure(error as ScriptProblem, { effect: 'rolled back', left });
  }
  if (session.lost === undefined) return;
  const problem = new ScriptProblem(`the connection was lost before it (${messageOf(session.lost)})`, {
    isLost: true,
    cause: session.lost,
  });
  throw new ScriptFailure(problem, { effect: 'rolled back', left });
}

function failureOf(error: unknown): ScriptFailure | undefined {
  const inner = error instanceof CallbackFailure ? error.cause : error;
  if (inner instanceof ScriptFailure) return inner;
  if (inner instanceof ScriptProblem)
    return new ScriptFailure(inner, { effect: 'rolled back', left: 'It was not begun.' });
  return undefined;
}

function pick({ script, executionTimeMs, statements }: AppliedScript): Omit<AppliedScript, 'version'> {
  return { script, executionTimeMs, statements };
}
