import type { CliCommand } from '../command.js';
import { given } from '../flags.js';

export const baseline: CliCommand = {
  name: 'baseline',
  summary: 'declare that the database holds every version up to this one already',
  declare: (command) =>
    command
      .argument('[version]', 'the version that the database is at (default: 1)')
      .option('--description <text>', 'what the history says of it'),
  async run(task) {
    const [version] = task.args;
    const { description } = task.flags as { description?: string };
    const result = await task.withMigrator((migrator) => migrator.baseline(given({ version, description })));
    return {
      exitCode: 0,
      result,
      print: (out) =>
        out.line(
          `The baseline is version ${result.version}: migrations up to it count as applied and are never run.`,
        ),
    };
  },
};
