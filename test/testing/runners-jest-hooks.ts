import type { TestDatabase } from '../harness/database.js';
import { committed } from './entries.js';
import type { RunnerProject } from './runner-project.js';

/** Declares the tests of the hooks that a jest runs, and of the tests that it runs without. */
export function jestHookTests(project: RunnerProject, db: TestDatabase): void {
  test('with test.concurrent fails by name before the test runs; outside of the block it is none of ours', async () => {
    const { output } = await project.jest(db.url, 'jest-concurrent.cjs');

    for (const name of ['before the call', 'deeper']) {
      expect(output).toContain(`"${name}" is test.concurrent, which jest runs without the hooks`);
    }
    expect(output).toMatch(/2 failed, 2 passed/);
    expect(await committed(db)).toEqual(['outside']);
  });

  test('runs inside the transaction every hook of the test but a beforeEach before the call', async () => {
    const { code, output } = await project.jest(db.url, 'jest-hooks.cjs');

    expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('1 passed') });
    expect(await committed(db)).toEqual(['beforeAll', 'beforeEach before the call']);
  });
}
