import { messageOf } from '../../core/index.js';
import { databaseCodeOf, type ErrorKind, explainDatabaseError } from '../database/explain-error.js';
import type { MigrationSession } from '../database/session.js';
import { LockLostError, SqlSyntaxError } from '../errors.js';
import { ScriptFailure, ScriptProblem } from './script-problem.js';

/** What no change of the file cures: what does is said with the error. */
const NOT_OF_THE_FILE: ReadonlySet<ErrorKind> = new Set([
  'rights',
  'read only',
  'disk full',
  'lock timeout',
  'deadlock',
  'too many connections',
]);

/** What a script was stopped by, in one type. What is none of ours is the driver's or a defect: its cause is kept. */
export function problemOf(session: MigrationSession, error: unknown): ScriptProblem {
  if (error instanceof ScriptProblem) return error;
  if (error instanceof ScriptFailure) return error.problem;
  if (error instanceof SqlSyntaxError) {
    const place = { position: error.position, text: '' };
    return new ScriptProblem(error.message, { place, cause: error });
  }
  if (error instanceof LockLostError)
    return new ScriptProblem(error.message, {
      kind: 'lock lost',
      next: 'Find out who works on this database now, wait until they are done, look at `migrate status`, then run `up` again.',
      cause: error,
    });
  if (session.lost !== undefined)
    return new ScriptProblem(`the connection was lost: ${messageOf(error)}`, { isLost: true, cause: error });
  if (isOfFileSystem(error))
    return new ScriptProblem(error.message, {
      next: 'See to it that the file can be read, then run `up` again.',
      cause: error,
    });
  if (databaseCodeOf(error) === undefined) return new ScriptProblem(messageOf(error), { cause: error });
  return new ScriptProblem(explainDatabaseError(error).sentence, { next: nextAfter(error), cause: error });
}

/** What to do about what the server said, where that is not to correct the file. */
export function nextAfter(error: unknown): string | undefined {
  if (databaseCodeOf(error) === undefined) return undefined;
  const isOfFile = !NOT_OF_THE_FILE.has(explainDatabaseError(error).kind);
  return isOfFile ? undefined : 'See to that, then run `up` again: the file may stay as it is.';
}

/** The connection's own have a `syscall` too, and were told apart before. */
function isOfFileSystem(error: unknown): error is NodeJS.ErrnoException {
  const { syscall, path } = (error ?? {}) as NodeJS.ErrnoException;
  return syscall !== undefined && path !== undefined;
}
