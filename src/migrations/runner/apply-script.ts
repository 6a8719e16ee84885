import { applyInTransaction } from './apply-in-transaction.js';
import { JournaledScript } from './apply-journaled.js';
import type { ScriptRun } from './script-run.js';

/**
 * Runs a script of SQL. Resolves to how many statements there were; throws `ScriptFailure`.
 *
 * What one transaction can hold commits with its row of the history. Everything else goes statement by statement, under
 * the journal.
 */
export function applyScript(run: ScriptRun): Promise<number> {
  return run.profile.isTransactional ? applyInTransaction(run) : new JournaledScript(run).apply();
}
