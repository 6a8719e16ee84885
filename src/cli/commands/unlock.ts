import { createInterface } from 'node:readline/promises';
import type { UnlockResult } from '../../migrations/index.js';
import type { CliCommand, Outcome, Task } from '../command.js';
import { describeHolder } from '../output/describe-holder.js';
import { UsageError } from '../usage-error.js';

export const unlock: CliCommand = {
  name: 'unlock',
  summary: 'show who holds the lock and take it away from them',
  declare: (command) => command.option('-y, --yes', 'do not ask'),
  run: (task) =>
    task.withMigrator(async (migrator) => {
      const holder = await migrator.lockHolder();
      if (!holder) return outcome({ holder, released: false }, 'Nobody holds the lock.');
      const held = `The lock is ${describeHolder(holder)}.`;
      if (!task.flags['yes'] && !(await isConfirmed(task, held)))
        return outcome({ holder, released: false }, 'The lock was left alone.');
      const result = await migrator.unlock();
      return outcome(result, result.released ? `${held}\nIt was taken away.` : `${held}\nIt is still held.`);
    }),
};

function outcome(result: UnlockResult, text: string): Outcome {
  const isStillHeld = result.holder !== undefined && !result.released;
  return { exitCode: isStillHeld ? 4 : 0, result, print: (out) => out.line(text) };
}

/** Asks on stderr, so that stdout holds the answer alone. */
async function isConfirmed({ host, terminal, isJson }: Task, held: string): Promise<boolean> {
  if (isJson || host.stdin.isTTY !== true)
    throw new UsageError(
      `${held}\nIts migration is cut off when the lock is taken away. Nobody can be asked here: add --yes to do it.`,
    );
  terminal.err.line(held);
  const questions = createInterface({ input: host.stdin, output: terminal.err.stream });
  try {
    const answer = await questions.question(
      'Its migration is cut off when the lock is taken away. Do it? [y/N] ',
    );
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    questions.close();
  }
}
