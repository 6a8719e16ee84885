import { createInterface } from 'node:readline/promises';
import type { LockHolder, UnlockResult } from '../../migrations/index.js';
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
      if (!holder) return outcome({ holder, released: false, cutOff: false }, 'Nobody holds the lock.');
      const held = `The lock is ${describeHolder(holder)}.`;
      if (!task.flags['yes'] && !(await isConfirmed(task, holder)))
        return outcome({ holder, released: false, cutOff: false }, 'The lock was left alone.');
      const result = await migrator.unlock();
      return outcome(result, `${held}\n${whatCame(result)}`);
    }),
};

function whatCame({ released, cutOff }: UnlockResult): string {
  if (!released) return 'It is free by now: nothing had to be taken away.';
  if (cutOff) return 'It was taken away.';
  return (
    'It was taken away, but the session that held it could not be ended (a pooler lends it, or this user may not): ' +
    'its running statement goes on, and it stops before its next statement that commits. Wait for that, or end it on the server.'
  );
}

function outcome(result: UnlockResult, text: string): Outcome {
  const isStillHeld = result.holder !== undefined && !result.released;
  return { exitCode: isStillHeld ? 4 : 0, result, print: (out) => out.line(text) };
}

/** Asks on stderr, so that stdout holds the answer alone. */
async function isConfirmed({ host, terminal, isJson }: Task, holder: LockHolder): Promise<boolean> {
  const held = `The lock is ${describeHolder(holder)}.`;
  const effect =
    holder.backendId === undefined
      ? 'Its session is not known: its running statement goes on, and it stops before the next that commits.'
      : 'Its migration is cut off when the lock is taken away.';
  if (isJson || host.stdin.isTTY !== true)
    throw new UsageError(`${held}\n${effect} Nobody can be asked here: add --yes to do it.`);
  terminal.err.line(held);
  const questions = createInterface({ input: host.stdin, output: terminal.err.stream });
  try {
    const answer = await questions.question(`${effect} Do it? [y/N] `);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    questions.close();
  }
}
