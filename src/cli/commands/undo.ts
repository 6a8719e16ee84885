import type { CliCommand } from '../command.js';
import { given, positiveInteger } from '../flags.js';
import { count } from '../output/text.js';

interface UndoFlags {
  readonly to?: string;
  readonly step?: number;
}

export const undo: CliCommand = {
  name: 'undo',
  aliases: ['down'],
  summary: 'take the last applied version back by its undo script',
  declare: (command) =>
    command
      .option('--to <version>', 'undo every version above this one; 0: all')
      .option('--step <number>', 'undo so many versions (default: 1)', positiveInteger('--step')),
  async run(task) {
    const { to, step } = task.flags as UndoFlags;
    const result = await task.withInterruptibleMigrator((migrator, stop) =>
      migrator.undo({ ...given({ to, step }), ...stop }),
    );
    const { undone, version } = result;
    const at = version === undefined ? 'no version' : `version ${version}`;
    return {
      exitCode: 0,
      result,
      print: (out) =>
        out.line(
          undone.length === 0
            ? `Nothing to undo. The database is at ${at}.`
            : `${count(undone.length, 'migration')} undone. The database is at ${at}.`,
        ),
    };
  },
};
