import { messageOf } from '../../core/index.js';
import type { CallbackMoment } from '../events.js';
import type { AppliedScript } from '../migrator.js';
import { MigrationApplier, type ApplierParts, type MigrationTask } from './apply-migration.js';
import { CallbackFailure } from './callbacks.js';
import { describeFailure, type RunStory } from './describe-failure.js';
import { HiddenValues } from './hide-values.js';
import { ScriptFailure, ScriptProblem } from './script-problem.js';
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
  readonly verb: RunStory['verb'];
}

/** Runs the tasks in their order, with the callbacks around them. Throws what `describeFailure()` makes of a failure. */
export async function runTasks(
  parts: ApplierParts,
  { tasks, step, moments, verb }: TaskOptions,
): Promise<readonly AppliedScript[]> {
  const { emit, session } = parts.context;
  const applier = new MigrationApplier(parts);
  const { callbacks } = applier;
  const applied: AppliedScript[] = [];
  const scripts = tasks.slice(0, step).map(({ migration }) => migration.script);
  let current: string | undefined;
  emit({ kind: 'planned', to: verb === 'undone' ? 'undo' : 'run', scripts });
  const release = parts.signals.cancels(session);
  try {
    await callbacks.run(moments.before);
    await runSequence(
      tasks.map((task) => ({
        script: task.migration.script,
        path: task.migration.body.path,
        run: async () => {
          current = task.migration.script;
          refuseToStart(parts);
          await callbacks.run(moments.beforeEach);
          applied.push(await applier.apply(task));
          current = undefined;
          emit({ kind: 'applied', ...pick(applied.at(-1)!) });
          await callbacks.run(moments.afterEach);
        },
      })),
      {
        step,
        onStarted: (script) =>
          emit({ kind: 'started', script, number: applied.length + 1, of: scripts.length }),
      },
    );
    if (applied.length > 0 && moments.afterApplied) await callbacks.run(moments.afterApplied);
    await callbacks.run(moments.after);
    return applied;
  } catch (error) {
    const script = error instanceof CallbackFailure ? error.script : (current ?? scripts[0] ?? '');
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    const hidden = new HiddenValues(parts.context.options.placeholders);
    emit({ kind: 'failed', script, message: hidden.in(failure.problem.message) });
    if (moments.afterEachError && !(error instanceof CallbackFailure))
      await callbacks.runAfterError(moments.afterEachError);
    await callbacks.runAfterError(moments.afterError);
    const left = scripts.slice(applied.length).filter((each) => each !== script);
    throw describeFailure(failure, { script, applied, left, verb, hidden });
  } finally {
    release();
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
