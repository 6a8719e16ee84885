import type { BegunScript } from '../../../src/migrations/history/journal';
import { plan } from '../../../src/migrations/planning/make-plan';
import { withBegun } from '../../../src/migrations/planning/with-begun';
import { filesOf, inShort, rowsOf } from './notation';

/** `V2` is what a killed run began, `V2@` what somebody is at. */
function begunOf(text: string): BegunScript[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => ({
      script: word.replace('@', ''),
      done: 1,
      undecided: undefined,
      startedAt: new Date('2026-01-31T12:00:00Z'),
      ...(word.endsWith('@') && { runBy: { host: 'web-2' } }),
    }));
}

/** Files, rows, what was begun, the entries that come of it, what `up` goes on with, what else runs, what is told. */
const GRID = `
  V1 V2 | V1      |     | V1 SUCCESS, +V2 PENDING                     |       | V2 |
  V1 V2 | V1      | V2  | V1 SUCCESS, +V2 FAILED                      | V2    |    | V2 FAILED
  V1 V2 | V1      | V2@ | V1 SUCCESS, +V2 RUNNING                     | V2    |    |
  V1 V2 | V1 V2!  |     | V1 SUCCESS, V2 FAILED                       |       |    | V2 FAILED
  V1 V2 | V1 V2!  | V2  | V1 SUCCESS, V2 FAILED                       | V2    |    | V2 FAILED
  V1 V2 | V1 V2!  | V2@ | V1 SUCCESS, V2 RUNNING                      | V2    |    |
  V1    | V1      | V2  | V1 SUCCESS, -V2 MISSING_FAILED              |       |    | V2 MISSING_FAILED
  V1    | V1      | V2@ | V1 SUCCESS, -V2 RUNNING                     |       |    |
  Ra*   | Ra      | Ra  | Ra FAILED                                   | Ra    |    | Ra FAILED
  Ra*   | Ra      | Ra@ | Ra RUNNING                                  | Ra    |    |
  V1 U1 | V1      | U1  | V1 SUCCESS, +U1 FAILED                      |       |    | U1 FAILED
  V1 U1 | V1      | U1@ | V1 SUCCESS, +U1 RUNNING                     |       |    |
  V1 V2 | V2      | V1  | +V1 FAILED, V2 SUCCESS                      | V1    |    | V1 FAILED
  V1    | V1      | V1  | V1 SUCCESS                                  |       |    |
  V1*   | V1      | V1  | V1 CHANGED                                  |       |    | V1 CHANGED
`;

const cases = GRID.trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()) as [string, string, string, ...string[]]);

test.each(cases)('files "%s", rows "%s", begun "%s"', (files, rows, begun, ...expected) => {
  const made = withBegun(plan({ resolved: filesOf(files), applied: rowsOf(rows) }), begunOf(begun));
  expect([
    made.plan.entries
      .map((entry) =>
        entry.migration || entry.row ? inShort(entry) : `-${entry.begun!.script} ${entry.state}`,
      )
      .join(', '),
    made.resumable.map(({ migration }) => migration!.script).join(' '),
    made.plan.pending.map(({ script }) => script).join(' '),
    made.problems.map(({ script, state }) => `${script} ${state}`).join(', '),
  ]).toEqual(expected);
});
