import type { MigrationLock } from '../../locks/lock.js';
import type { ResolvedMigration } from '../../migration.js';
import type { DryRunResult, DryRunScript, UpOptions } from '../../migrator.js';
import { DryRunner } from '../dry-runner.js';
import { languageOf } from '../language.js';
import { describeFailure } from '../describe-failure.js';
import { requireAdoptedSchema } from '../foreign-schema.js';
import { HiddenValues } from '../hide-values.js';
import type { RunContext } from '../run-context.js';
import { ScriptFailure } from '../script-problem.js';
import { RunSignals } from '../signals.js';
import { readSources, survey } from '../survey.js';
import { withLock } from '../with-lock.js';
import { refuseProblems, requireWritable, tasksOf, tellNotes } from './up.js';

/**
 * Shows what `up` would do. Where the database rolls DDL back, everything runs in one transaction that is rolled back
 * at the end, under the migration lock; what no transaction can hold is named and not run, and so is a statement whose
 * answer an earlier run never got. Elsewhere nothing runs, and each statement is judged by itself. What `up` refuses, it
 * refuses as well. Throws what `up` throws.
 */
export async function dryRun(context: RunContext, options: UpOptions = {}): Promise<DryRunResult> {
  const signals = new RunSignals({ stop: options.signal, cancel: options.cancelSignal });
  const sources = await readSources(context);
  const { session } = context;
  const look = async (lock?: MigrationLock): Promise<Outlook> => {
    const found = await survey(context, sources, {
      to: options.to,
      outOfOrder: options.outOfOrder ?? context.options.outOfOrder,
      lock,
    });
    tellNotes(context, found);
    refuseProblems(found);
    const migrations = tasksOf(found)
      .slice(0, options.step)
      .map(({ migration }) => migration);
    if (migrations.length > 0 && !found.hasHistory) await requireAdoptedSchema(context);
    const begun = new Set(found.resumable.map(({ migration }) => migration!.script));
    const judge = (await languageOf(context.session)).createJudge();
    return { migrations, runner: new DryRunner(context, { signals, begun, judge }) };
  };

  const { migrations, runner } = await look();
  if (migrations.length === 0) return { scripts: [] };
  if (!session.server.supportsTransactionalDdl)
    return { scripts: await each(context, migrations, (migration) => runner.judge(migration)) };
  requireWritable(context);
  return withLock(context, signals, async (lock) => {
    // Whoever held the lock may have applied them.
    const now = await look(lock);
    const release = signals.cancels(session);
    await now.runner.begin();
    try {
      return { scripts: await each(context, now.migrations, (migration) => now.runner.run(migration)) };
    } finally {
      release();
      await now.runner.end();
    }
  });
}

interface Outlook {
  readonly migrations: readonly ResolvedMigration[];
  readonly runner: DryRunner;
}

async function each(
  { options }: RunContext,
  migrations: readonly ResolvedMigration[],
  attempt: (migration: ResolvedMigration) => Promise<DryRunScript>,
): Promise<readonly DryRunScript[]> {
  const scripts: DryRunScript[] = [];
  for (const migration of migrations) {
    try {
      scripts.push(await attempt(migration));
    } catch (error) {
      if (!(error instanceof ScriptFailure)) throw error;
      throw describeFailure(error, {
        script: migration.script,
        applied: scripts,
        left: migrations.slice(scripts.length + 1).map(({ script }) => script),
        verb: 'tried',
        hidden: new HiddenValues(options.placeholders),
      });
    }
  }
  return scripts;
}
