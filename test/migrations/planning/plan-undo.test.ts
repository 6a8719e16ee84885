import { InvalidVersionError } from '../../../src/migrations/errors';
import { planUndo } from '../../../src/migrations/planning/make-undo-plan';
import type { PlanUndoOptions } from '../../../src/migrations/planning/plan';
import { filesOf, rowsOf } from './notation';

const undoOf = (files: string, rows: string, options: PlanUndoOptions = {}) =>
  planUndo({ resolved: filesOf(files), applied: rowsOf(rows), options });

const ALL = 'V1 U1 V2 U2 V3 U3';

type Row = readonly [files: string, rows: string, options: PlanUndoOptions, steps: string, problems: string];

const GRIDS: Record<string, readonly Row[]> = {
  'the last applied one': [
    [ALL, '', {}, '', ''],
    [ALL, 'V1', {}, 'U1', ''],
    [ALL, 'V1 V2 V3', {}, 'U3', ''],
    [ALL, 'V1 V3 V2', {}, 'U2', ''],
    [ALL, 'V1 V2 U2', {}, 'U1', ''],
    [ALL, 'V1 V2 U2 V2', {}, 'U2', ''],
    [ALL, 'V1 V2 D2', {}, 'U1', ''],
    [ALL, 'V1 Rview', {}, 'U1', ''],
    [ALL, 'schema V1', {}, 'U1', ''],
    ['U1 V2', 'V1', {}, 'U1', ''],
    ['V1.ts U1.ts', 'V1.jdbc', {}, 'U1', ''],
  ],
  'a number of them': [
    [ALL, 'V1 V2 V3', { step: 2 }, 'U3 U2', ''],
    [ALL, 'V1 V3 V2', { step: 2 }, 'U2 U3', ''],
    [ALL, 'V1 V2', { step: 9 }, 'U2 U1', ''],
  ],
  'down to a version': [
    [ALL, 'V1 V2 V3', { to: '1' }, 'U3 U2', ''],
    [ALL, 'V1 V3 V2', { to: '1' }, 'U2 U3', ''],
    [ALL, 'V1 V2 V3', { to: '3' }, '', ''],
    [ALL, 'V1 V2 V3', { to: '0' }, 'U3 U2 U1', ''],
    [ALL, 'V1 V2 V3', { to: '1', step: 1 }, 'U3', ''],
    [ALL, 'V2 V3', { to: '1' }, 'U3 U2', ''],
    [ALL, 'baseline1 V2 V3', { to: '1' }, 'U3 U2', ''],
  ],
  'what cannot be undone': [
    ['V1', 'V1', {}, '', 'V1 SUCCESS'],
    ['V1 U1 V2 V3 U3', 'V1 V2 V3', { to: '0' }, 'U3 U1', 'V2 SUCCESS'],
    ['V1 U1', 'V1 V2', {}, '', 'V2 FUTURE'],
    ['V1 U1', 'V1 V2', { step: 2 }, 'U1', 'V2 FUTURE'],
    ['', 'V1', {}, '', 'V1 FUTURE'],
    ['V2 U2', 'baseline1', {}, '', 'baseline1 BASELINE'],
    ['V2 U2', 'baseline1 V2', { to: '0' }, 'U2', 'baseline1 BASELINE'],
    ['B1 U1', 'B1', {}, '', 'B1 BASELINE'],
    [ALL, 'V1 V2!', {}, '', 'V2 FAILED'],
    [ALL, 'V1 V2 U2!', {}, 'U2', 'U2 FAILED'],
    [ALL, 'V1 V2 U2! U2', {}, 'U1', ''],
  ],
};

describe.each(Object.entries(GRIDS))('%s', (_, rows) => {
  const cases = rows.map(([files, applied, options, steps, problems]) => ({
    files,
    applied,
    options,
    steps,
    problems,
  }));

  test.each(cases)(
    'files "$files", rows "$applied" $options',
    ({ files, applied, options, steps, problems }) => {
      const made = undoOf(files, applied, options);
      expect(made.steps.map(({ undo }) => undo.script).join(' ')).toBe(steps);
      expect(made.problems.map(({ script, state }) => `${script} ${state}`).join(', ')).toBe(problems);
      for (const { row, undo } of made.steps) expect(undo.version?.parts).toEqual(row.version?.parts);
    },
  );
});

describe('a problem says what to do', () => {
  test.each([
    ['V1~', 'V1~', 'V1 has no undo script. Write U1__renamed.sql, or the `down` of its own form.'],
    [
      'V1',
      'V2',
      'V2 is not known here, and neither is what undoes it: run `undo` with the release that has it.',
    ],
    [
      '',
      'baseline1',
      'baseline1 is the baseline: what was there before it is not known, so that it cannot be undone.',
    ],
    ['V1 U1', 'V1!', 'V1 failed half-way. Bring it to an end first: `up` says how.'],
    [
      'V1 U1',
      'V1 U1!',
      'U1 failed half-way, and what it had done stays. Finish it by hand; then run `repair`.',
    ],
  ])('files "%s", rows "%s"', (files, rows, message) => {
    expect(undoOf(files, rows).problems.map((problem) => problem.message)).toEqual([message]);
  });
});

test('a version that nobody has is refused, with the nearest', () => {
  const undo = () => undoOf('V1 V2 U2', 'V1 V2', { to: '1.5' });
  expect(undo).toThrow(InvalidVersionError);
  expect(undo).toThrow('No migration has version 1.5. The nearest: 1 (V1) and 2 (V2).');
});
