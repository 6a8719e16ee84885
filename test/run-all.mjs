// Runs every suite, prints the total of each and, as the last line, of all: `N passed, N failed`.
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryFolder } from './memory-folder.mjs';

const suites = [
  // First and alone: generates the Prisma clients and builds better-sqlite3, which no two may do at once.
  { name: 'cls-hooked', config: 'jest.cls-hooked.config.cjs' },
  { name: 'main', config: 'jest.config.cjs' },
  {
    name: 'nestjs',
    config: 'jest.nestjs.config.cjs',
    nodeOptions: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
  },
  // Installs from the registry and compiles, on one core: beside those after the first, which leave some of two.
  { name: 'consumers', config: 'jest.consumers.config.cjs', isAside: true },
  ...(process.env.HOLDFAST_TEST_MYSQL8_URL ? [{ name: 'mysql8', config: 'jest.mysql8.config.cjs' }] : []),
];
const secondsToEndByItself = 20;

const root = new URL('../', import.meta.url);
// Where the tests put what is temporary. What they shall keep stays on the disk.
const memory = process.env.TMPDIR || process.env.HOLDFAST_TEST_KEEP === '1' ? undefined : memoryFolder();
const folder = mkdtempSync(join(memory ?? tmpdir(), 'holdfast-tests-'));
// As root, the database servers run as another user, who has to get in.
chmodSync(folder, 0o755);
const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.once(signal, () => {
    remove();
    process.kill(process.pid, signal);
  });
const [first, ...others] = suites.filter(({ isAside }) => !isAside);
const totals = [await runSuite(first)];
const aside = Promise.all(suites.filter(({ isAside }) => isAside).map(runSuite));
for (const suite of others) totals.push(await runSuite(suite));
totals.push(...(await aside));
remove();

console.log();
for (const { name, passed, failed } of totals) console.log(`${name}: ${passed} passed, ${failed} failed`);
const sum = (key) => totals.reduce((total, suite) => total + suite[key], 0);
console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
process.exitCode = sum('failed') === 0 ? 0 : 1;

async function runSuite({ name, config, nodeOptions, isAside }) {
  const report = join(folder, `${name}.json`);
  if (!isAside) console.log(`\n=== ${name}`);
  const args = ['-c', config, '--json', '--outputFile', report];
  const { ended, output } = await runJest(args, { nodeOptions, report, isAside });
  if (isAside) console.log(`\n=== ${name}\n${output}`);
  if (!existsSync(report)) return { name, passed: 0, failed: 1 };
  const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(
    readFileSync(report, 'utf8'),
  );
  const failed = numFailedTests + numRuntimeErrorTestSuites;
  // jest can fail without a failed test: nothing found, a teardown that throws, a process that does not end.
  return { name, passed: numPassedTests, failed: failed === 0 && !ended ? 1 : failed };
}

/** Answers whether jest ended by itself and with success, and what it said where that is not shown at once. */
function runJest(args, { nodeOptions, report, isAside }) {
  let output = '';
  const env = {
    ...process.env,
    ...(memory && { TMPDIR: folder }),
    ...(nodeOptions && { NODE_OPTIONS: nodeOptions }),
  };
  const jest = spawn(process.execPath, ['node_modules/jest/bin/jest.js', ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'ignore', isAside ? 'pipe' : 'inherit'],
  });
  jest.stderr?.setEncoding('utf8').on('data', (text) => (output += text));
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
      resolve({ ended: code === 0, output });
    });
  });
}
