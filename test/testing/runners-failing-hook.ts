import type { RunnerProject } from './runner-project.js';

/** What a database tells the tests of it. */
interface Database {
  readonly url: string;
}

/** Declares the tests of a file in which an afterEach hook of the application fails. */
export function failingHookTests(
  project: RunnerProject,
  db: Database,
  committed: () => Promise<readonly string[]>,
): void {
  test('vitest: an afterEach that fails first fails its test alone, and the next one begins clean', async () => {
    const { output } = await project.vitest(db.url, ['vitest-failing-hook.mjs']);

    expect(output).toContain('Error: the hook of the application failed');
    expect(output).not.toContain('asked for a second test');
    expect(output).toMatch(/2 failed \| 2 passed \| 1 skipped/);
    expect(await committed()).toEqual(['kept']);
  });

  test('node:test: an afterEach that fails first fails its test alone, and the next one begins clean', async () => {
    const { output } = await project.nodeTest(db.url, ['node-failing-hook.mjs']);

    expect(output).toContain('the hook of the application failed');
    expect(output).not.toContain('asked for a second test');
    expect(output).toMatch(/pass 2\b[^]*fail 2\b[^]*skipped 1\b/);
    expect(await committed()).toEqual(['kept']);
  });
}
