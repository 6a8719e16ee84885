import type { CliCommand, Outcome, Task } from '../command.js';
import { given, positiveInteger } from '../flags.js';
import { count, duration } from '../output/text.js';
import { dryRun } from './dry-run.js';

interface UpFlags {
  readonly to?: string;
  readonly step?: number;
  readonly dryRun?: true;
}

export const up: CliCommand = {
  name: 'up',
  summary: 'apply what is pending, in order, under a lock',
  declare: (command) =>
    command
      .option('--to <version>', 'stop at this version, inclusive')
      .option('--step <number>', 'apply so many at most', positiveInteger('--step'))
      .option('--dry-run', 'say what would happen: on PostgreSQL in a transaction that is rolled back'),
  run: (task) => {
    const { to, step, dryRun: isDry } = task.flags as UpFlags;
    return isDry ? dryRun(task, given({ to, step })) : apply(task, given({ to, step }));
  },
};

async function apply(task: Task, options: { to?: string; step?: number }): Promise<Outcome> {
  const result = await task.withInterruptibleMigrator((migrator, stop) =>
    migrator.up({ ...options, ...stop }),
  );
  const { applied, version } = result;
  const at = version === undefined ? '' : ` The database is at version ${version}.`;
  const took = duration(applied.reduce((sum, { executionTimeMs }) => sum + executionTimeMs, 0));
  return {
    exitCode: 0,
    result,
    print: (out) =>
      out.line(
        applied.length === 0
          ? `Nothing to apply.${at}`
          : `${count(applied.length, 'migration')} applied in ${took}.${at}`,
      ),
  };
}
