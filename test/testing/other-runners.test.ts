import { useDatabase } from '../harness/database.js';
import { committed } from './entries.js';
import { RunnerProject } from './runner-project.js';
import { jestHookTests } from './runners-jest-hooks.js';

/** Runners that users have and we do not. */
const db = useDatabase();
const project = new RunnerProject({ jest: '29.7.0', 'jest-jasmine2': '29.7.0', vitest: '3.2.4' });
beforeAll(() => project.create(), 300_000);
afterAll(() => project.remove());
afterEach(() => db.truncate());
jest.setTimeout(300_000);

describe('jest 29', () => {
  jestHookTests(project, db);

  test('expectNoLeaks() looks after every hook of the test', async () => {
    const { output } = await project.jest(db.url, 'jest-leaks.cjs');

    expect(output).toContain('1 connection was not given back when the test ended');
    expect(output).toMatch(/1 failed, 4 passed/);
  });
});

test.each([
  ['rollbackPerTest', 'jest-hooks.cjs', 'TestTransactionError'],
  ['expectNoLeaks', 'jest-leaks.cjs', 'LeakedConnectionError'],
])('%s() is refused at its call by a jest whose runner is not known', async (call, file, error) => {
  const { code, output } = await project.jest(db.url, file, ['--testRunner=jest-jasmine2']);

  expect(code).toBe(1);
  expect(output).toContain(`${error}: ${call}() does not know the runner of this jest`);
  expect(await committed(db)).toEqual([]);
});

test('vitest 3 fails the tests that run at once, and none after them', async () => {
  const { output } = await project.vitest(db.url, ['vitest-after-concurrent.mjs']);

  expect(output).toContain('rollbackPerTest() was asked for a second test');
  expect(output).toMatch(/3 failed \| 2 passed/);
  expect(await committed(db)).toEqual([]);
});
