import { messageOf } from '../../core/index.js';
import { databaseCodeOf, explainDatabaseError } from '../database/explain-error.js';
import type { MigrationSession } from '../database/session.js';
import { LockLostError, SqlSyntaxError } from '../errors.js';
import { ScriptProblem } from './script-problem.js';

/** What a script was stopped by, in one type. What is none of ours is the driver's or a defect: its cause is kept. */
export function problemOf(session: MigrationSession, error: unknown): ScriptProblem {
  if (error instanceof ScriptProblem) return error;
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
  const isLost = session.lost !== undefined;
  const isOfServer = databaseCodeOf(error) !== undefined;
  const said = isOfServer ? explainDatabaseError(error).sentence : messageOf(error);
  const message = isLost ? `the connection was lost: ${messageOf(error)}` : said;
  return new ScriptProblem(message, { isLost, cause: error });
}
