import { messageOf } from '../../core/index.js';
import { abridge } from '../sql/abridge.js';
import { ScriptProblem } from './script-problem.js';
import type { ScriptRun } from './script-run.js';

/** Runs the clauses that must return no rows. Throws {@link ScriptProblem} with what they returned, but no values. */
export async function verify({ profile, session }: ScriptRun, when: 'before' | 'after'): Promise<void> {
  const { verifyBefore, verifyAfter } = profile.directives;
  for (const { query, position } of when === 'before' ? verifyBefore : verifyAfter) {
    const place = { position, text: query };
    let rows: object[];
    try {
      rows = await session.query(query);
    } catch (error) {
      throw new ScriptProblem(`its clause verify could not be run: ${messageOf(error)}`, {
        place,
        isLost: session.lost !== undefined,
        cause: error,
      });
    }
    const [first] = rows;
    if (first === undefined) continue;
    const columns = Object.keys(first).join(', ');
    throw new ScriptProblem(
      `verify (${when}) must return no rows, and returned ${rows.length} with the columns ${columns}`,
      {
        kind: 'verify',
        place,
        next: `Run the clause to see the rows: ${abridge(query)}`,
      },
    );
  }
}
