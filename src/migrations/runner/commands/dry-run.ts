import type { DryRunResult, DryRunScript, UpOptions } from '../../migrator.js';
import { DryRunner } from '../dry-runner.js';
import { describeFailure } from '../describe-failure.js';
import { HiddenValues } from '../hide-values.js';
import type { RunContext } from '../run-context.js';
import { ScriptFailure } from '../script-problem.js';
import { RunSignals } from '../signals.js';
import { readSources, survey } from '../survey.js';
import { withLock } from '../with-lock.js';
import { requireWritable } from './up.js';

/**
 * Shows what `up` would do. Where the database rolls DDL back, everything runs in one transaction that is rolled back
 * at the end, under the migration lock; what no transaction can hold is named and not run. Elsewhere nothing runs, and
 * each statement is judged by itself. Throws what `up` throws for a script that fails.
 */
export async function dryRun(context: RunContext, options: UpOptions = {}): Promise<DryRunResult> {
  const signals = new RunSignals({ stop: options.signal, cancel: options.cancelSignal });
  const sources = await readSources(context);
  const { plan } = await survey(context, sources, {
    to: options.to,
    step: options.step,
    outOfOrder: options.outOfOrder ?? context.options.outOfOrder,
  });
  if (plan.pending.length === 0) return { scripts: [] };
  const runner = new DryRunner(context, signals);
  if (!context.session.server.supportsTransactionalDdl) {
    const scripts: DryRunScript[] = [];
    for (const migration of plan.pending) scripts.push(await runner.judge(migration));
    return { scripts };
  }
  requireWritable(context);
  return withLock(context, signals, async () => {
    const scripts: DryRunScript[] = [];
    const release = signals.cancels(context.session);
    await runner.begin();
    try {
      for (const migration of plan.pending) {
        try {
          scripts.push(await runner.run(migration));
        } catch (error) {
          if (!(error instanceof ScriptFailure)) throw error;
          const left = plan.pending.slice(scripts.length + 1).map(({ script }) => script);
          const hidden = new HiddenValues(context.options.placeholders);
          throw describeFailure(error, {
            script: migration.script,
            applied: [],
            left,
            verb: 'tried',
            hidden,
          });
        }
      }
      return { scripts };
    } finally {
      release();
      await runner.end();
    }
  });
}
