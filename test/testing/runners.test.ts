import { useDatabase } from '../harness/database.js';
import { committed } from './entries.js';
import { RunnerProject } from './runner-project.js';
import { failingHookTests } from './runners-failing-hook.js';
import { jestHookTests } from './runners-jest-hooks.js';

const db = useDatabase();
const project = new RunnerProject();
beforeAll(() => project.create(), 300_000);
afterAll(() => project.remove());
afterEach(() => db.truncate());
jest.setTimeout(300_000);

describe('vitest', () => {
  test('runs files at once that do not see one another, and hooks inside the transaction', async () => {
    const { code, output } = await project.vitest(db.url, ['vitest-one.mjs', 'vitest-two.mjs']);

    expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('4 passed') });
    expect(await committed(db)).toEqual([]);
  });

  test('with globals needs no hooks handed in', async () => {
    const { code, output } = await project.vitest(db.url, ['vitest-globals.mjs'], ['--globals']);

    expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('2 passed') });
    expect(await committed(db)).toEqual([]);
  });

  test('without globals and without hooks is told what to hand in', async () => {
    const { output } = await project.vitest(db.url, ['vitest-globals.mjs']);

    expect(output).toContain(
      'InvalidOptionsError: rollbackPerTest() finds no global beforeEach and afterEach',
    );
  });

  test('with describe.concurrent fails by name, and nothing is kept', async () => {
    const { output } = await project.vitest(db.url, ['vitest-concurrent.mjs']);

    expect(output).toContain('TestTransactionError: rollbackPerTest() was asked for a second test');
    expect(output).toContain('3 failed');
    expect(await committed(db)).toEqual([]);
  });

  test('fails the tests that run at once, and none after them', async () => {
    const { output } = await project.vitest(db.url, ['vitest-after-concurrent.mjs']);

    expect(output).toContain('rollbackPerTest() was asked for a second test');
    expect(output).toMatch(/3 failed \| 2 passed/);
    expect(await committed(db)).toEqual([]);
  });
});

describe('node:test', () => {
  test('runs files at once that do not see one another, and hooks inside the transaction', async () => {
    const { code, output } = await project.nodeTest(db.url, ['node-one.mjs', 'node-two.mjs']);

    expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('pass 4') });
    expect(await committed(db)).toEqual([]);
  });

  test('with concurrency fails by name, and nothing is kept', async () => {
    const { output } = await project.nodeTest(db.url, ['node-concurrent.mjs']);

    expect(output).toContain('[TestTransactionError]: rollbackPerTest() was asked for a second test');
    expect(output).toContain('fail 3');
    expect(await committed(db)).toEqual([]);
  });

  test('fails the tests that run at once, and none after them', async () => {
    const { output } = await project.nodeTest(db.url, ['node-after-concurrent.mjs']);

    expect(output).toContain('rollbackPerTest() was asked for a second test');
    expect(output).toMatch(/pass 2\b[^]*fail 3\b/);
    expect(await committed(db)).toEqual([]);
  });

  test('cancels a test, and the next one begins clean', async () => {
    const { output } = await project.nodeTest(db.url, ['node-cancelled.mjs']);

    expect(output).toMatch(/✖ is cancelled[^]*cancelled 1\b/);
    expect(output).toContain('✔ finds nothing of it');
    expect(await committed(db)).toEqual([]);
  });

  test('whose process dies in a test leaves nothing', async () => {
    const { code } = await project.nodeTest(db.url, ['node-killed.mjs']);

    expect(code).toBe(1);
    expect(await committed(db)).toEqual([]);
  });
});

describe('jest', () => {
  jestHookTests(project, db);

  test('cancels a test that takes too long, says what still ran, and the next one begins clean', async () => {
    const { output } = await project.jest(db.url, 'jest-timeout.cjs');

    expect(output).toContain('Exceeded timeout of 200 ms for a test');
    expect(output).toContain('The test ended while "Orders.place" still ran, and 20 ms later still did');
    expect(output).toMatch(/1 failed, 1 passed/);
    expect(await committed(db)).toEqual([]);
  });

  test('gives up the hook that rolls back, and the next test begins when it is done', async () => {
    const { output } = await project.jest(db.url, 'jest-slow-end.cjs');

    expect(output).toContain('Exceeded timeout of 100 ms for a hook');
    expect(output).toMatch(/1 failed, 1 passed/);
    expect(await committed(db)).toEqual([]);
  });
});

failingHookTests(project, db, () => committed(db));

describe('expectNoLeaks()', () => {
  const leak = (file: string): RegExp =>
    new RegExp(
      '1 connection was not given back when the test ended:\\s+' +
        `1 of pool "default", taken by (?:TestContext\\.)?exportReport \\(${file}:\\d+\\), inside a transaction, last statement: INSERT INTO entry \\(label\\) VALUES \\(\\?\\)`,
    );

  test('vitest: fails the test that leaks, and no other', async () => {
    const { output } = await project.vitest(db.url, ['vitest-leaks.mjs']);
    expect(output).toMatch(leak('leaky-tests.mjs'));
    expect(output).toMatch(/1 failed \| 3 passed/);
  });

  test('node:test: fails the test that leaks, and no other', async () => {
    const { output } = await project.nodeTest(db.url, ['node-leaks.mjs']);
    expect(output).toMatch(leak('leaky-tests.mjs'));
    expect(output).toContain('pass 3');
    expect(output).toContain('fail 1');
    expect(output).toContain('✖ leaks');
  });

  test('vitest: beside rollbackPerTest() as well, whichever is called first', async () => {
    const { output } = await project.vitest(db.url, ['vitest-leaks-rolled-back.mjs']);
    expect(output).toContain('1 connection was not given back when the test ended');
    expect(output).toMatch(/2 failed \| 2 passed/);
    expect(await committed(db)).toEqual([]);
  });

  test('node:test: beside rollbackPerTest() as well, whichever is called first', async () => {
    const { output } = await project.nodeTest(db.url, ['node-leaks-rolled-back.mjs']);
    expect(output).toContain('1 connection was not given back when the test ended');
    expect(output).toMatch(/pass 2\b[^]*fail 2\b/);
    expect(await committed(db)).toEqual([]);
  });

  test('jest: fails the test that leaks, and no other, at the line that took the connection', async () => {
    const { output } = await project.jest(db.url, 'jest-leaks.cjs');
    expect(output).toMatch(leak('jest-leaks.cjs'));
    expect(output).toMatch(/1 failed, 4 passed/);
    expect(output).toMatch(/> 12 \|\s+const client = await pool\.connect\(\)/);
  });
});
