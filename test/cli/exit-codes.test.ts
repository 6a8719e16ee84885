import * as migrations from 'holdfast/migrations';
import { HoldfastError, InvalidOptionsError } from '../../src/core/index.js';
import { effectOf, EXIT_CODES, exitCodeOf } from '../../src/cli/exit-codes.js';
import { UsageError } from '../../src/cli/usage-error.js';

const script = 'V1__x.sql';
const position = { line: 1, column: 1, offset: 0 };

const of: Readonly<Record<string, readonly [HoldfastError, number][]>> = {
  DatabaseUnreachableError: [[new migrations.DatabaseUnreachableError('x'), 1]],
  InvalidMigrationsError: [[new migrations.InvalidMigrationsError('x'), 1]],
  InvalidVersionError: [[new migrations.InvalidVersionError('x'), 64]],
  LockBusyError: [[new migrations.LockBusyError('x', { holder: undefined }), 4]],
  LockLostError: [[new migrations.LockLostError('x'), 3]],
  MigrationFailedError: [
    [new migrations.MigrationFailedError('x', { script, effect: 'rolled back' }), 1],
    [new migrations.MigrationFailedError('x', { script, effect: 'partial' }), 3],
    [new migrations.MigrationFailedError('x', { script, effect: 'unknown' }), 3],
  ],
  MigrationInterruptedError: [
    [new migrations.MigrationInterruptedError('x', { effect: 'rolled back' }), 1],
    [new migrations.MigrationInterruptedError('x', { effect: 'partial' }), 3],
    [new migrations.MigrationInterruptedError('x', { effect: 'unknown' }), 3],
  ],
  MigrationWarningError: [
    [new migrations.MigrationWarningError('x', { script, effect: 'rolled back', warnings: [] }), 7],
    [new migrations.MigrationWarningError('x', { script, effect: 'partial', warnings: [] }), 7],
  ],
  MissingRightsError: [[new migrations.MissingRightsError('x'), 1]],
  SqlSyntaxError: [[new migrations.SqlSyntaxError('x', { position }), 1]],
  StatementFailedError: [[new migrations.StatementFailedError('x', { at: 0 }), 1]],
  ValidationFailedError: [[new migrations.ValidationFailedError('x'), 5]],
  VerifyFailedError: [
    [new migrations.VerifyFailedError('x', { script, effect: 'rolled back' }), 6],
    [new migrations.VerifyFailedError('x', { script, effect: 'partial' }), 6],
  ],
};

test.each(
  Object.entries(of).flatMap(([name, cases]) =>
    cases.map(([error, code]) => [name, effectOf(error), code, error] as const),
  ),
)('%s with the effect %s is exit code %i', (_, _effect, code, error) => {
  expect(exitCodeOf(error)).toBe(code);
});

test('every error of holdfast/migrations has its exit code in this test', () => {
  const exported = Object.keys(migrations).filter((name) => name.endsWith('Error'));

  expect(Object.keys(of).sort()).toEqual(exported.sort());
});

test.each([
  ['wrong usage', new UsageError('x'), 64],
  ['wrong options', new InvalidOptionsError('x'), 64],
  ['what is no error of holdfast', new TypeError('x'), 1],
  ['what is no error at all', 'x', 1],
])('%s', (_, error, code) => {
  expect(exitCodeOf(error)).toBe(code);
});

test('the table is closed', () => {
  expect(Object.keys(EXIT_CODES).map(Number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 64]);
});
