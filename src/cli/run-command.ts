import type { Command } from 'commander';
import type { Clock } from '../core/index.js';
import type { MigrationEvent } from '../migrations/index.js';
import type { CliCommand, Task } from './command.js';
import { type ExitCode, exitCodeOf } from './exit-codes.js';
import { Interrupts } from './interrupts.js';
import type { Reporter } from './output/reporter.js';
import { reporterFor } from './output/reporter-for.js';
import { resolveSettings, type Settings } from './settings/resolve-settings.js';
import type { Host, Terminal } from './terminal.js';
import { UsageError } from './usage-error.js';

export interface Surroundings {
  readonly host: Host;
  readonly terminal: Terminal;
  readonly clock: Clock;
}

/** Reads the settings, runs the command and reports what came of it. Never rejects. */
export async function runCommand(
  command: CliCommand,
  parsed: Command,
  { host, terminal, clock }: Surroundings,
): Promise<ExitCode> {
  const all = parsed.optsWithGlobals<Record<string, unknown>>();
  const isJson = all['json'] === true;
  const common = { terminal, isJson, command: command.name, clock };
  let reporter = await reporterFor({ ...common, settings: undefined });
  try {
    const settings = await resolveSettings(all, host);
    reporter = await reporterFor({ ...common, settings });
    const task = { host, terminal, settings, isJson, args: parsed.processedArgs.flat() as string[] };
    const outcome = await command.run({
      ...task,
      args: task.args.filter((argument) => argument !== undefined),
      flags: parsed.opts(),
      ...migratorsFor(settings, reporter, terminal),
    });
    reporter.outcome(outcome);
    return outcome.exitCode;
  } catch (error) {
    const exitCode = exitCodeOf(error);
    reporter.failure(error, exitCode);
    return exitCode;
  }
}

function migratorsFor(
  settings: Settings,
  reporter: Reporter,
  { out }: Terminal,
): Pick<Task, 'withMigrator' | 'withInterruptibleMigrator'> {
  const withMigrator: Task['withMigrator'] = async (use) => {
    const { options } = settings;
    if (options.url === undefined && options.urlFile === undefined)
      throw new UsageError(
        'No database is named. Set DATABASE_URL or DATABASE_URL_FILE, pass --url-file, or write url or urlFile into ' +
          'holdfast.config.ts.',
      );
    const { createMigrator } = await import('../migrations/index.js');
    const onEvent = (event: MigrationEvent): void => {
      reporter.event(event);
      // It may write to the same place, and may keep the process from writing anything for a while.
      if ((event.kind === 'started' || event.kind === 'progress') && !event.script.endsWith('.sql'))
        out.flush();
    };
    const migrator = createMigrator({ ...options, onEvent });
    try {
      return await use(migrator);
    } finally {
      await migrator.close();
    }
  };
  return {
    withMigrator,
    withInterruptibleMigrator: (use) =>
      withMigrator(async (migrator) => {
        using interrupts = new Interrupts({
          onStop: (signal) =>
            reporter.event({
              kind: 'note',
              message: `${signal}: stopping when the running statement is over. Once more cancels it.`,
            }),
          onCancel: () => reporter.event({ kind: 'note', message: 'Cancelling the running statement.' }),
        });
        return await use(migrator, {
          signal: interrupts.stopSignal,
          cancelSignal: interrupts.cancelSignal,
        });
      }),
  };
}
