import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
// Without ".js": jest loads its global setup with Node's own require, which knows no name mapping.
import { aptInstall, installPackages, mayInstall } from './apt';

const run = promisify(execFile);
const folder = resolve('test/sqlite');
const tools = 'g++ make python3';
const building = Symbol.for('holdfast.test.better-sqlite3');

/** Where better-sqlite3 is installed, for the applications of test/consumers. */
export const betterSqlite3 = join(folder, 'node_modules/better-sqlite3');

/** Where the tests find out that it is built: a file with the problem, which is empty where there is none. */
const resultVariable = 'HOLDFAST_TEST_SQLITE_RESULT';
/** jest loads setup and teardown as separate module graphs; the global object is what they share. */
const holder = globalThis as { [building]?: Promise<void> };

/** Begins to build it, on one core, beside the first tests: those that need it wait for it. */
export function startBetterSqlite3(): void {
  const file = join(mkdtempSync(join(tmpdir(), 'holdfast-better-sqlite3-')), 'result');
  process.env[resultVariable] = file;
  const tell = (problem: string): void => {
    writeFileSync(`${file}.new`, problem);
    renameSync(`${file}.new`, file);
  };
  holder[building] = buildBetterSqlite3().then(
    () => tell(''),
    (error: Error) => tell(error.message),
  );
}

/** Waits until it is built, and forgets how it ended. */
export async function endBetterSqlite3(): Promise<void> {
  await holder[building];
  const file = process.env[resultVariable];
  delete process.env[resultVariable];
  if (file !== undefined) rmSync(dirname(file), { recursive: true });
}

/** Called in a file, or in a describe block, whose tests need it: they fail, with what to do, where it could not be built. */
export function useBetterSqlite3(): void {
  beforeAll(needBetterSqlite3, 300_000);
}

/** Resolves once it is built. Throws where it could not be. */
export async function needBetterSqlite3(): Promise<void> {
  const file = process.env[resultVariable];
  if (file === undefined) throw new Error('The global setup of these tests does not build better-sqlite3.');
  while (!existsSync(file)) await sleep(100);
  const problem = readFileSync(file, 'utf8');
  if (problem !== '') throw new Error(problem);
}

/**
 * Gets the binary of better-sqlite3 for this Node, where there is none: its install script downloads one from GitHub, or
 * else compiles one. Throws, with what to do, where neither is possible.
 */
async function buildBetterSqlite3(): Promise<void> {
  if (await opens()) return;
  process.stderr.write('Building better-sqlite3 for the tests; once, for about a minute.\n');
  try {
    await build();
  } catch (error) {
    if (!mayInstall() || !installTools()) throw notBuilt(error as Error);
    await build().catch((again: Error) => Promise.reject(notBuilt(again)));
  }
}

async function opens(): Promise<boolean> {
  const script = `new (require(${JSON.stringify(betterSqlite3)}))(':memory:')`;
  return run(process.execPath, ['-e', script]).then(
    () => true,
    () => false,
  );
}

async function build(): Promise<void> {
  const prefix = dirname(dirname(process.execPath));
  // Node's headers come with it: without this they would be downloaded from nodejs.org.
  const hasHeaders = existsSync(join(prefix, 'include/node/node.h'));
  await run('npm', ['rebuild', 'better-sqlite3'], {
    cwd: folder,
    env: {
      ...process.env,
      ...(hasHeaders && { npm_config_nodedir: prefix }),
      // Where it has to be compiled: what optimising takes is more than the tests spend in it.
      CFLAGS: '-O0',
      CXXFLAGS: '-O0',
      JOBS: 'max',
    },
  });
  if (!(await opens())) throw new Error(`npm rebuild left no binary that ${process.execPath} can load`);
}

function installTools(): boolean {
  process.stderr.write(`It could not be built; installing a compiler for it: ${aptInstall(tools)}\n`);
  try {
    installPackages(tools);
    return true;
  } catch {
    return false;
  }
}

function notBuilt(cause: Error): Error {
  return new Error(
    'No better-sqlite3 to test with: its binary could be neither downloaded from GitHub nor compiled. Install a C++ compiler, make and Python ' +
      `(on Debian: sudo ${aptInstall(tools)}), then run: npm rebuild better-sqlite3 --prefix test/sqlite. It ended with: ${cause.message}`,
    { cause },
  );
}
