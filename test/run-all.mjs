// Runs every suite, prints the total of each and, as the last line, of all: `N passed, N failed`.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const suites = [
  { name: 'main', config: 'jest.config.cjs' },
  { name: 'cls-hooked', config: 'jest.cls-hooked.config.cjs' },
  {
    name: 'nestjs',
    config: 'jest.nestjs.config.cjs',
    nodeOptions: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
  },
  { name: 'consumers', config: 'jest.consumers.config.cjs' },
  ...(process.env.HOLDFAST_TEST_MYSQL8_URL ? [{ name: 'mysql8', config: 'jest.mysql8.config.cjs' }] : []),
];
const secondsToEndByItself = 20;

const root = new URL('../', import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-tests-'));
const totals = [];
for (const suite of suites) {
  console.log(`\n=== ${suite.name}`);
  totals.push({ name: suite.name, ...(await runSuite(suite)) });
}
rmSync(folder, { recursive: true, force: true });

console.log();
for (const { name, passed, failed } of totals) console.log(`${name}: ${passed} passed, ${failed} failed`);
const sum = (key) => totals.reduce((total, suite) => total + suite[key], 0);
console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
process.exitCode = sum('failed') === 0 ? 0 : 1;

async function runSuite({ name, config, nodeOptions }) {
  const report = join(folder, `${name}.json`);
  const ended = await runJest(['-c', config, '--json', '--outputFile', report], nodeOptions, report);
  if (!existsSync(report)) return { passed: 0, failed: 1 };
  const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(
    readFileSync(report, 'utf8'),
  );
  const failed = numFailedTests + numRuntimeErrorTestSuites;
  // jest can fail without a failed test: nothing found, a teardown that throws, a process that does not end.
  return { passed: numPassedTests, failed: failed === 0 && !ended ? 1 : failed };
}

/** Answers whether jest ended by itself and with success. */
function runJest(args, nodeOptions, report) {
  const env = { ...process.env, ...(nodeOptions && { NODE_OPTIONS: nodeOptions }) };
  const jest = spawn(process.execPath, ['node_modules/jest/bin/jest.js', ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    let stuck;
    const watch = setInterval(() => {
      if (!existsSync(report)) return;
      clearInterval(watch);
      stuck = setTimeout(() => {
        console.error(
          `The tests are over, but jest did not end within ${secondsToEndByItself} s: a handle is open.`,
        );
        jest.kill('SIGKILL');
      }, secondsToEndByItself * 1000);
    }, 500);
    jest.once('error', reject);
    jest.once('close', (code) => {
      clearInterval(watch);
      clearTimeout(stuck);
      resolve(code === 0);
    });
  });
}
