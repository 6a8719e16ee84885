import { messageOf } from '../../core/index.js';
import { abridge } from './place.js';
import { ScriptProblem } from './script-problem.js';
import type { ScriptRun } from './script-run.js';

/** Runs the clauses that must return no rows. Throws {@link ScriptProblem} with what they returned, but no values. */
export async function verify({ profile, session }: ScriptRun, when: 'before' | 'after'): Promise<void> {
  for (const clause of profile.directives.verify) {
    if (clause.when !== when) continue;
    const place = { position: clause.position, text: clause.sql };
    let rows: object[];
    try {
      rows = await session.query(clause.sql);
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
        next: `Run the clause to see the rows: ${abridge(clause.sql)}`,
      },
    );
  }
}
