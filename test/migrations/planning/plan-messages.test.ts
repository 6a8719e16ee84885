import { InvalidVersionError } from '../../../src/migrations/errors';
import { plan } from '../../../src/migrations/planning/make-plan';
import type { PlanOptions } from '../../../src/migrations/planning/plan';
import { filesOf, rowsOf } from './notation';

const planOf = (files: string, rows: string, options?: PlanOptions) =>
  plan({ resolved: filesOf(files), applied: rowsOf(rows), ...(options && { options }) });

describe('a problem says what happened and what to do', () => {
  test.each([
    [
      'V1*',
      'V1',
      'V1 was edited after it was applied on 2026-01-31: its checksum was 1 and is 2. Restore it and put the change into a new version; if the database has what the file says now, run `repair`.',
    ],
    [
      'V1~',
      'V1.bare',
      'V1 is not what was applied on 2026-01-31 as version 1: its description was "x" and is "renamed". Restore it and put the change into a new version; if the database has what the file says now, run `repair`.',
    ],
    [
      'V1.ts',
      'V1',
      'V1 is not what was applied on 2026-01-31 as version 1: its kind was SQL and is code. Restore it and put the change into a new version; if the database has what the file says now, run `repair`.',
    ],
    [
      'V2',
      'V1',
      'V1 was applied on 2026-01-31 and is no longer there. Restore the file; if it was removed on purpose, run `repair` to note that.',
    ],
    [
      'Rview',
      'V1',
      'V1 was applied on 2026-01-31 and is no longer there. No file with a version was found at all: see that `directories` names the right place.',
    ],
    [
      'V1',
      'V1!',
      'V1 failed half-way on 2026-01-31, and what it had done stays. Take that back by hand, correct it, run `repair`, then `up`: it begins anew.',
    ],
    [
      'V2',
      'V1!',
      'V1 failed half-way on 2026-01-31, and the file is no longer there. Restore it to see what it did and take that back by hand; then run `repair`.',
    ],
    [
      'V1 V2',
      'V2',
      'V1 is not applied, and version 2 already is. Give it a higher version, or run `up --out-of-order` if it does not matter which comes first.',
    ],
  ])('files "%s", rows "%s"', (files, rows, message) => {
    expect(planOf(files, rows).problems.map((problem) => problem.message)).toEqual([message]);
  });

  test('a date that is none is left out', () => {
    const [row] = rowsOf('V1');
    const made = plan({ resolved: filesOf('V2'), applied: [{ ...row!, installedOn: new Date(Number.NaN) }] });
    expect(made.problems[0]?.message).toMatch(/^V1 was applied and is no longer there/);
  });
});

describe('a note tells what stops nothing', () => {
  test.each([
    ['V1', 'V1 V2', '1 version of a newer release is applied: 2.'],
    ['V1', 'V1 V2 V3 V4 V5 V6 V7', '6 versions of a newer release are applied: 2, 3, 4, 5, 6 ….'],
    ['V1', 'V1 V2!', 'V2 of a newer release failed half-way: that release has to finish it.'],
    ['V1~', 'V1', 'V1 was applied as "x" and has the same content. `repair` takes the new name over.'],
    [
      '',
      'Rview',
      'Rview was applied and is no longer there; what it made stays. `repair` notes that it is gone.',
    ],
  ])('files "%s", rows "%s"', (files, rows, note) => {
    expect(planOf(files, rows).notes.map(({ message }) => message)).toEqual([note]);
  });

  test('that `up` takes nothing back', () => {
    expect(planOf('V1 V2', 'V1 V2', { to: '1' }).notes).toEqual([
      { message: 'Version 2 is applied, which is above 1: `up` takes nothing back, `undo --to 1` does.' },
    ]);
  });

  test('that repeatable ones wait for the versions above the target', () => {
    expect(planOf('V1 V2 Ra Rb*', 'V1 Rb', { to: '1' }).notes).toEqual([
      { message: '2 repeatable migrations will run once no version is left.' },
    ]);
  });

  test.each([
    ['V1 Rview', 'V1 Rview'],
    ['V1 U1 B1', 'V1'],
    ['B5 V6', 'V1 V5'],
    ['V1 V2', 'V1'],
  ])('and nothing where all is as it should be: files "%s", rows "%s"', (files, rows) => {
    expect(planOf(files, rows).notes).toEqual([]);
  });
});

describe('a target that nobody has', () => {
  test.each([
    ['V1 V12', 'V1', '99', 'No migration has version 99. The nearest: 12 (V12).'],
    ['V1 V12', 'V1', '5', 'No migration has version 5. The nearest: 1 (V1) and 12 (V12).'],
    ['V10', 'V7', '8', 'No migration has version 8. The nearest: 7 (V7) and 10 (V10).'],
    ['Rview U3', 'U3', '3', 'No migration has version 3. There is none at all.'],
    [
      'V1',
      '',
      'latest',
      '"latest" is no version: write numbers with dots or underscores between them, as in 1, 1.2 or 20260131120000.',
    ],
  ])('files "%s", rows "%s", to %s', (files, rows, to, message) => {
    expect(() => planOf(files, rows, { to })).toThrow(InvalidVersionError);
    expect(() => planOf(files, rows, { to })).toThrow(message);
  });

  test.each([
    ['V1 V12', 'V1', '12'],
    ['V1', 'V1 V7', '7'],
    ['B5', '', '5'],
    ['V6', 'baseline5', '5'],
    ['V1_2', '', '1.2'],
  ])('one that a file or a row has is taken: files "%s", rows "%s", to %s', (files, rows, to) => {
    expect(() => planOf(files.replace('_', '.'), rows, { to })).not.toThrow();
  });
});
