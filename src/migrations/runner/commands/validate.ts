import type { ValidateResult } from '../../migrator.js';
import { Callbacks } from '../callbacks.js';
import { adoptionProblems } from '../foreign-schema.js';
import type { RunContext } from '../run-context.js';
import { RunSignals } from '../signals.js';
import { readSources, survey } from '../survey.js';
import { pendingOf } from './status.js';

/** Whether files and history fit together, and `up` would begin. Takes no lock. */
export async function validate(context: RunContext): Promise<ValidateResult> {
  const sources = await readSources(context);
  const callbacks = new Callbacks({ context, signals: new RunSignals({}), callbacks: sources.callbacks });
  await callbacks.run('beforeValidate');
  const found = await survey(context, sources);
  const problems = [...found.problems, ...(await adoptionProblems(context, found))];
  await callbacks.run('afterValidate');
  return { problems, pending: pendingOf(found) };
}
