import type { CliCommand } from '../command.js';
import { printable } from '../output/text.js';

export const repair: CliCommand = {
  name: 'repair',
  summary:
    'make the history agree with the files: remove failed rows, take over checksums, note deleted files',
  async run(task) {
    const result = await task.withMigrator((migrator) => migrator.repair());
    return {
      exitCode: 0,
      result,
      print(out) {
        for (const change of result.changes) out.line(`${out.colours.green('✓')} ${printable(change)}`);
        if (result.changes.length === 0) out.line('Nothing to repair.');
      },
    };
  },
};
