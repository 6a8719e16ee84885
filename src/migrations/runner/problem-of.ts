import { messageOf } from '../../core/index.js';
import type { MigrationSession } from '../database/session.js';
import { SqlSyntaxError } from '../errors.js';
import { ScriptProblem } from './script-problem.js';

/** What a script was stopped by, in one type. What is none of ours is the driver's or a defect: its cause is kept. */
export function problemOf(session: MigrationSession, error: unknown): ScriptProblem {
  if (error instanceof ScriptProblem) return error;
  if (error instanceof SqlSyntaxError) {
    const place = { position: error.position, text: '' };
    return new ScriptProblem(error.message, { place, cause: error });
  }
  const isLost = session.lost !== undefined;
  const message = isLost ? `the connection was lost: ${messageOf(error)}` : messageOf(error);
  return new ScriptProblem(message, { isLost, cause: error });
}
