import { nextAfter } from '../../../src/migrations/runner/problem-of.js';

test.each([
  ['a lock', { severity: 'ERROR', code: '55P03', message: 'lock timeout' }, 'the file may stay as it is'],
  ['a full disk', { errno: 1021, message: 'disk full' }, 'the file may stay as it is'],
])('%s is no fault of the file', (_, error, said) => {
  expect(nextAfter(error)).toContain(said);
});

test.each([
  ['a wrong statement', { severity: 'ERROR', code: '42601', message: 'syntax error' }],
  ['what no server said: a statement that is larger than it takes', undefined],
])('%s is', (_, error) => {
  expect(nextAfter(error)).toBeUndefined();
});
