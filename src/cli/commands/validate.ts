import type { CliCommand } from '../command.js';
import { printProblems } from '../output/problems.js';
import { count } from '../output/text.js';

export const validate: CliCommand = {
  name: 'validate',
  summary: 'check that files and history agree; exit code 5 when they do not',
  async run(task) {
    const result = await task.withMigrator((migrator) => migrator.validate());
    const { problems, pending } = result;
    return {
      exitCode: problems.length > 0 ? 5 : 0,
      result,
      print(out) {
        printProblems(out, problems);
        out.line(
          problems.length > 0
            ? `Files and history contradict each other: ${count(problems.length, 'problem')}.`
            : `Files and history agree. ${count(pending.length, 'migration')} pending.`,
        );
      },
    };
  },
};
