import { plan } from '../../../src/migrations/planning/make-plan';
import type { PlanOptions } from '../../../src/migrations/planning/plan';
import { MIGRATION_STATES, type MigrationState } from '../../../src/migrations/state';
import { filesOf, inShort, rowsOf, summary } from './notation';

const planOf = (files: string, rows: string, options?: PlanOptions) =>
  plan({ resolved: filesOf(files), applied: rowsOf(rows), ...(options && { options }) });

/** Files, rows, the entries that come of them, what runs, what is refused, options. See notation.ts for the words. */
const GRIDS: Record<string, string> = {
  'nothing and little': `
           |           |                             |        |
    V1     |           | +V1 PENDING                 | V1     |
    V1     | V1        | V1 SUCCESS                  |        |
    V1.0   | V1        | V1.0 SUCCESS                |        |
    V10 V2 |           | +V2 PENDING, +V10 PENDING   | V2 V10 |
    V1 V2  | V1        | V1 SUCCESS, +V2 PENDING     | V2     |
    V1     | schema V1 | -schema SUCCESS, V1 SUCCESS |        |
  `,
  'an edited file': `
    V1*       | V1      | V1 CHANGED                          |    | V1 CHANGED
    V1*       | V1*     | V1 SUCCESS                          |    |
    V1 V2* V3 | V1 V2   | V1 SUCCESS, V2 CHANGED, +V3 PENDING | V3 | V2 CHANGED
    V1*       | V1.sha  | V1 CHANGED                          |    | V1 CHANGED
    V1        | V1.sha  | V1 SUCCESS                          |    |
    V1*       | V1.bare | V1 SUCCESS                          |    |
    V1~       | V1      | V1 SUCCESS                          |    |
    V1~       | V1.bare | V1 CHANGED                          |    | V1 CHANGED
    V1~*      | V1      | V1 CHANGED                          |    | V1 CHANGED
    V1.ts     | V1.jdbc | V1 SUCCESS                          |    |
    V1.ts*    | V1.jdbc | V1 SUCCESS                          |    |
    V1.ts~    | V1.jdbc | V1 CHANGED                          |    | V1 CHANGED
    V1.ts*    | V1.code | V1 SUCCESS                          |    |
    V1        | V1.crlf | V1 SUCCESS                          |    |
    V1*       | V1.crlf | V1 CHANGED                          |    | V1 CHANGED
    V1.ts     | V1      | V1 CHANGED                          |    | V1 CHANGED
    V1        | V1.jdbc | V1 CHANGED                          |    | V1 CHANGED
    V1        | V1.odd  | V1 SUCCESS                          |    |
    V1*       | V1.odd  | V1 CHANGED                          |    | V1 CHANGED
  `,
  'a file that is gone': `
    V2       | V1 V2     | -V1 MISSING, V2 SUCCESS                    |       | V1 MISSING
    V2       | V1        | -V1 MISSING, +V2 PENDING                   | V2    | V1 MISSING
    V1       | V1 V2     | V1 SUCCESS, -V2 FUTURE                     |       |
    V1       | V1 V2!    | V1 SUCCESS, -V2 FUTURE_FAILED              |       |
    V2       | V1! V2    | -V1 MISSING_FAILED, V2 SUCCESS             |       | V1 MISSING_FAILED
             | V1        | -V1 MISSING                                |       | V1 MISSING
    U1 Rview | V1        | -V1 MISSING, +U1 AVAILABLE, +Rview PENDING | Rview | V1 MISSING
             | Rview     | -Rview MISSING                             |       |
    V1       | V1 Rview! | V1 SUCCESS, -Rview MISSING_FAILED          |       | Rview MISSING_FAILED
             | schema    | -schema SUCCESS                            |       |
  `,
  'a file whose removal was noted': `
    V2    | V1 V2 D1     | -V1 DELETED, V2 SUCCESS, -D1 SUCCESS               |       |
          | V1 D1        | -V1 DELETED, -D1 SUCCESS                           |       |
    V1    | V1 D1        | -V1 DELETED, -D1 SUCCESS, +V1 PENDING              | V1    |
    V1    | V1 D1 V1     | -V1 DELETED, -D1 SUCCESS, V1 SUCCESS               |       |
          | V1 D1 V1 D1  | -V1 DELETED, -D1 SUCCESS, -V1 DELETED, -D1 SUCCESS |       |
    V1 V2 | V1 V2 D2     | V1 SUCCESS, -V2 DELETED, -D2 SUCCESS, +V2 PENDING  | V2    |
          | Rview DRview | -Rview DELETED, -Rview SUCCESS                     |       |
    Rview | Rview DRview | -Rview DELETED, -Rview SUCCESS, +Rview PENDING     | Rview |
    V2 V3 | V3 D3        | +V2 PENDING, -V3 DELETED, -D3 SUCCESS, +V3 PENDING | V2 V3 |
  `,
  'a lower version that came late': `
    V1 V2 V3  | V1 V3    | V1 SUCCESS, +V2 OUT_OF_ORDER_PENDING, V3 SUCCESS  |    | V2 OUT_OF_ORDER_PENDING
    V1 V2 V3  | V1 V3    | V1 SUCCESS, +V2 PENDING, V3 SUCCESS               | V2 |                                     | outOfOrder
    V1 V2 V3  | V1 V3 V2 | V1 SUCCESS, V3 SUCCESS, V2 OUT_OF_ORDER           |    |
    V2        | V3 U3 V2 | -V3 UNDONE, -U3 SUCCESS, V2 SUCCESS               |    |
    V2        | V3 D3 V2 | -V3 DELETED, -D3 SUCCESS, V2 SUCCESS              |    |
    V1 V2* V3 | V1 V3 V2 | V1 SUCCESS, V3 SUCCESS, V2 CHANGED                |    | V2 CHANGED
    V1 V2     | V1 V9    | V1 SUCCESS, +V2 OUT_OF_ORDER_PENDING, -V9 FUTURE  |    | V2 OUT_OF_ORDER_PENDING
    V2 V3     | V1 V3    | -V1 MISSING, +V2 OUT_OF_ORDER_PENDING, V3 SUCCESS |    | V1 MISSING, V2 OUT_OF_ORDER_PENDING
    V2 V3     | V3!      | +V2 OUT_OF_ORDER_PENDING, V3 FAILED               |    | V2 OUT_OF_ORDER_PENDING, V3 FAILED
  `,
  'a failed one': `
    V1 V2 V3 | V1 V2!       | V1 SUCCESS, V2 FAILED, +V3 PENDING         | V3 | V2 FAILED
    V1       | V1! V1       | -V1 SUPERSEDED, V1 SUCCESS                 |    |
    V1       | V1! V1!      | -V1 SUPERSEDED, V1 FAILED                  |    | V1 FAILED
    V1*      | V1!          | V1 FAILED                                  |    | V1 FAILED
    V1 U1    | V1!          | V1 FAILED, +U1 UNAVAILABLE                 |    | V1 FAILED
    Rview    | Rview!       | Rview FAILED                               |    | Rview FAILED
    Rview    | Rview! Rview | -Rview SUPERSEDED, Rview SUCCESS           |    |
    B5 V4 V6 | B5!          | +V4 BELOW_BASELINE, B5 FAILED, +V6 PENDING | V6 | B5 FAILED
    V6       | B5!          | -B5 MISSING_FAILED, +V6 PENDING            | V6 | B5 MISSING_FAILED
  `,
  'a repeatable one': `
    Rview        |              | +Rview PENDING                                    | Rview    |
    Rview        | Rview        | Rview SUCCESS                                     |          |
    Rview*       | Rview        | Rview OUTDATED                                    | Rview    |
    Rview*       | Rview.sha    | Rview OUTDATED                                    | Rview    |
    Rview*       | Rview.jdbc   | Rview SUCCESS                                     |          |
    Rview*       | Rview Rview* | -Rview SUPERSEDED, Rview SUCCESS                  |          |
    Rview        | Rview Rview* | -Rview SUPERSEDED, Rview OUTDATED                 | Rview    |
                 | Rview Rview* | -Rview SUPERSEDED, -Rview MISSING                 |          |
    Rb Ra* V2 V1 | V1 Ra        | V1 SUCCESS, Ra OUTDATED, +V2 PENDING, +Rb PENDING | V2 Ra Rb |
  `,
  'a baseline of the command': `
    V1 V5 V6 | baseline5           | +V1 BELOW_BASELINE, -baseline5 BASELINE, +V5 BELOW_BASELINE, +V6 PENDING         | V6 |
    V6 U5    | baseline5           | -baseline5 BASELINE, +U5 UNAVAILABLE, +V6 PENDING                                | V6 |
    V3 V6    | baseline5 V6        | +V3 BELOW_BASELINE, -baseline5 BASELINE, V6 SUCCESS                              |    |
    V3 V7    | V3 baseline5        | V3 SUCCESS, -baseline5 BASELINE, +V7 PENDING                                     | V7 |
    V3* V7   | V3 baseline5        | V3 SUCCESS, -baseline5 BASELINE, +V7 PENDING                                     | V7 |
    V7       | V3 baseline5        | -V3 SUCCESS, -baseline5 BASELINE, +V7 PENDING                                    | V7 |
             | baseline5           | -baseline5 BASELINE                                                              |    |
    V3 V4    | baseline5 baseline3 | +V3 BELOW_BASELINE, +V4 BELOW_BASELINE, -baseline5 BASELINE, -baseline3 BASELINE |    |
  `,
  'a baseline file': `
    B5 V1 V5 V6 |           | +V1 BELOW_BASELINE, +B5 PENDING, +V5 BELOW_BASELINE, +V6 PENDING   | B5 V6 |
    B3 B5 V4 V6 |           | +B3 BASELINE_IGNORED, +V4 BELOW_BASELINE, +B5 PENDING, +V6 PENDING | B5 V6 |
    B3 B5 V4    |           | +B3 PENDING, +V4 PENDING, +B5 ABOVE_TARGET                         | B3 V4 |                   | to=4
    B5 V6       | B5 V6     | B5 BASELINE, V6 SUCCESS                                            |       |
    B5* V6      | B5        | B5 BASELINE, +V6 PENDING                                           | V6    |
    V6          | B5        | -B5 BASELINE, +V6 PENDING                                          | V6    |
    B5 V1 V6    | V1        | V1 SUCCESS, +B5 BASELINE_IGNORED, +V6 PENDING                      | V6    |
    B5 V6       | V1 V5     | -V1 SUCCESS, -V5 SUCCESS, +B5 BASELINE_IGNORED, +V6 PENDING        | V6    |
    B5 V6       | V1!       | -V1 MISSING_FAILED, +B5 BASELINE_IGNORED, +V6 PENDING              | V6    | V1 MISSING_FAILED
    B5 V6       | V2 V1     | -V2 SUCCESS, -V1 OUT_OF_ORDER, +B5 BASELINE_IGNORED, +V6 PENDING   | V6    |
    B5          | baseline5 | -baseline5 BASELINE, +B5 BASELINE_IGNORED                          |       |
    B5 V1       | V1 D1     | -V1 DELETED, -D1 SUCCESS, +V1 BELOW_BASELINE, +B5 PENDING          | B5    |
    B5 Rview    | Rview     | Rview SUCCESS, +B5 PENDING                                         | B5    |
    B5 U5       | B5        | B5 BASELINE, +U5 UNAVAILABLE                                       |       |
  `,
  'an undo': `
    V1 U1    |                | +V1 PENDING, +U1 UNAVAILABLE                                                           | V1    |
    V1 U1    | V1             | V1 SUCCESS, +U1 AVAILABLE                                                              |       |
    V1 U1    | V1 U1          | -V1 UNDONE, -U1 SUCCESS, +V1 PENDING, +U1 UNAVAILABLE                                  | V1    |
    V1 U1    | V1 U1 V1       | -V1 UNDONE, -U1 SUCCESS, V1 SUCCESS, +U1 AVAILABLE                                     |       |
    V1* U1   | V1 U1          | -V1 UNDONE, -U1 SUCCESS, +V1 PENDING, +U1 UNAVAILABLE                                  | V1    |
    V1 U1    | V1 U1!         | V1 SUCCESS, U1 FAILED                                                                  |       | U1 FAILED
    V1 U1    | V1 U1! U1      | -V1 UNDONE, -U1 SUPERSEDED, -U1 SUCCESS, +V1 PENDING, +U1 UNAVAILABLE                  | V1    |
    V1       | V1 U1!         | V1 SUCCESS, -U1 MISSING_FAILED                                                         |       | U1 MISSING_FAILED
    V1 V2 V3 | V1 V2 V3 U3 U2 | V1 SUCCESS, -V2 UNDONE, +V2 PENDING, -V3 UNDONE, -U3 SUCCESS, -U2 SUCCESS, +V3 PENDING | V2 V3 |
    V1 V2    | V1 V2 U1       | -V1 UNDONE, +V1 OUT_OF_ORDER_PENDING, V2 SUCCESS, -U1 SUCCESS                          |       | V1 OUT_OF_ORDER_PENDING
             | V1 U1          | -V1 UNDONE, -U1 SUCCESS                                                                |       |
    V1       | V1 U1 U1       | -V1 UNDONE, -U1 SUCCESS, -U1 SUCCESS, +V1 PENDING                                      | V1    |
  `,
  'a target': `
    V1 V2 V3 Rview |       | +V1 PENDING, +V2 PENDING, +V3 ABOVE_TARGET, +Rview PENDING | V1 V2       |                         | to=2
    V1 V2 Rview    |       | +V1 PENDING, +V2 PENDING, +Rview PENDING                   | V1 V2 Rview |                         | to=2
    V1 V2 V3       | V1    | V1 SUCCESS, +V2 PENDING, +V3 ABOVE_TARGET                  | V2          |                         | to=2.0
    V1 V2 V3       | V1 V2 | V1 SUCCESS, V2 SUCCESS, +V3 ABOVE_TARGET                   |             |                         | to=1
    V1 V2 V3       | V2    | +V1 OUT_OF_ORDER_PENDING, V2 SUCCESS, +V3 ABOVE_TARGET     |             | V1 OUT_OF_ORDER_PENDING | to=2
    V1* V3         | V1 V2 | V1 CHANGED, -V2 MISSING, +V3 ABOVE_TARGET                  |             | V1 CHANGED, V2 MISSING  | to=2
  `,
  steps: `
    V1 V2 V3 |    | +V1 PENDING, +V2 PENDING, +V3 PENDING      | V1 V2 |  | step=2
    V1 Ra Rb |    | +V1 PENDING, +Ra PENDING, +Rb PENDING      | V1 Ra |  | step=2
    V1 V2    | V1 | V1 SUCCESS, +V2 PENDING                    | V2    |  | step=5
    V1 V2 V3 |    | +V1 PENDING, +V2 PENDING, +V3 ABOVE_TARGET | V1    |  | step=1 to=2
  `,
};

const seen = new Set<string>();

function casesOf(grid: string) {
  const lines = grid.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const [files, rows, entries, pending, refused, options = ''] = line.split('|').map((cell) => cell.trim());
    return { files: files!, rows: rows!, options, expected: { entries, pending, refused } };
  });
}

function optionsOf(text: string): PlanOptions {
  const { to, step } = Object.fromEntries(text.split(' ').map((word) => word.split('=')));
  return {
    ...(to !== undefined && { to }),
    ...(step !== undefined && { step: Number(step) }),
    ...(text === 'outOfOrder' && { outOfOrder: true }),
  };
}

describe.each(Object.entries(GRIDS))('%s', (_, grid) => {
  test.each(casesOf(grid))('files "$files", rows "$rows" $options', ({ files, rows, options, expected }) => {
    const made = planOf(files, rows, optionsOf(options));
    for (const { state } of made.entries) seen.add(state);
    expect(summary(made)).toEqual(expected);
  });
});

test('the grids reach every state but the one that the journal alone knows', () => {
  expect([...seen, 'RUNNING'].sort()).toEqual((Object.keys(MIGRATION_STATES) as MigrationState[]).sort());
});

describe('the version that the database is at', () => {
  test.each([
    ['', undefined],
    ['V1 V3 V2', '3'],
    ['V1 V2!', '1'],
    ['V1 V2 U2', '1'],
    ['V1 V2 D2', '1'],
    ['baseline5', '5'],
    ['B5 V6', '6'],
    ['Rview', undefined],
    ['V1 U1', undefined],
  ])('rows "%s": %s', (rows, version) => {
    expect(planOf('', rows).version?.text).toBe(version);
  });
});

describe('what failed is given for the runner to go on with', () => {
  test.each([
    ['V1 V2', 'V1 V2!', ['V2 FAILED']],
    ['V1', 'V1!', ['V1 FAILED']],
    ['V1 U1 Rview', 'V1 U1! Rview!', ['U1 FAILED', 'Rview FAILED']],
    ['V2', 'V1!', ['-V1 MISSING_FAILED']],
    ['V1', 'V1! V1', []],
  ])('files "%s", rows "%s"', (files, rows, failed) => {
    const made = planOf(files, rows);
    expect(made.failed.map(inShort)).toEqual(failed);
    for (const { migration } of made.failed) expect(made.pending).not.toContain(migration);
  });
});

test('rows are read by rank, in whatever order they come', () => {
  const applied = rowsOf('V1 V3 V2 U2').toReversed();
  const made = plan({ resolved: filesOf('V1 V2 V3'), applied, options: { outOfOrder: true } });
  expect(summary(made).entries).toBe('V1 SUCCESS, +V2 PENDING, V3 SUCCESS, -V2 UNDONE, -U2 SUCCESS');
});

test('nothing that was handed in is changed', () => {
  const resolved = Object.freeze(filesOf('V3 V1 Rb Ra B1 U1'));
  const applied = Object.freeze(
    rowsOf('V1 U1 V1')
      .map((row) => Object.freeze(row))
      .toReversed(),
  );
  expect(() => plan({ resolved, applied })).not.toThrow();
});

describe('descriptions of the history', () => {
  const long = 'x'.repeat(250);
  const file = { ...filesOf('V1')[0]!, description: long };
  const row = rowsOf('V1.bare')[0]!;

  test('are cut after 200 characters by Flyway', () => {
    const made = plan({ resolved: [file], applied: [{ ...row, description: `${'x'.repeat(197)}...` }] });
    expect(summary(made).entries).toBe('V1 SUCCESS');
  });

  test('are a marker where the file has none', () => {
    const made = plan({
      resolved: [{ ...file, description: '' }],
      applied: [{ ...row, description: '<< no description >>' }],
    });
    expect(summary(made).entries).toBe('V1 SUCCESS');
  });

  test('tell repeatable ones apart, long ones too', () => {
    const view = { ...filesOf('Rview')[0]!, description: long };
    const run = { ...rowsOf('Rview')[0]!, description: `${'x'.repeat(197)}...` };
    expect(summary(plan({ resolved: [view], applied: [run] })).entries).toBe('Rview SUCCESS');
  });
});
