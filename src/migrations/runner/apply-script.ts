import { applyInTransaction, isOnePacket } from './apply-in-transaction.js';
import { JournaledScript } from './apply-journaled.js';
import { applyTogether, planTogether } from './apply-together.js';
import type { ScriptRun } from './script-run.js';

/**
 * Runs a script of SQL. Resolves to how many statements there were; throws `ScriptFailure`.
 *
 * What one transaction can hold commits with its row of the history. Everything else goes statement by statement, under
 * the journal; in one packet where that can be.
 */
export async function applyScript(run: ScriptRun): Promise<number> {
  const { profile, journal, session } = run;
  const together = profile.isTransactional ? undefined : applyPlanned(run);
  if (together) return together;
  await journal?.ahead.withdraw(session);
  return profile.isTransactional ? applyInTransaction(run) : new JournaledScript(run).apply();
}

/**
 * As {@link applyScript}, of a script that is one packet from its beginning to its end; undefined for any other, of which
 * nothing is sent. It may also throw `NotRunError`.
 */
export function applyAhead(run: ScriptRun): Promise<number> | undefined {
  return isOnePacket(run) ? applyInTransaction(run) : applyPlanned(run);
}

function applyPlanned(run: ScriptRun): Promise<number> | undefined {
  const plan = planTogether(run);
  return plan && applyTogether(run, plan);
}
