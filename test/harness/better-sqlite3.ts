import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
// Without ".js": jest loads its global setup with Node's own require, which knows no name mapping.
import { aptInstall, installPackages, mayInstall } from './apt';

const run = promisify(execFile);
const folder = resolve('test/sqlite');
const tools = 'g++ make python3';

/** Where better-sqlite3 is installed, for the applications of test/consumers. */
export const betterSqlite3 = join(folder, 'node_modules/better-sqlite3');

/**
 * Gets the binary of better-sqlite3 for this Node, where there is none: its install script downloads one from GitHub, or
 * else compiles one. Throws, with what to do, where neither is possible.
 */
export async function buildBetterSqlite3(): Promise<void> {
  if (await opens()) return;
  process.stderr.write('Building better-sqlite3 for the tests; once, for about a minute.\n');
  try {
    await build();
  } catch (error) {
    if (!mayInstall() || !installTools()) throw notBuilt(error as Error);
    await build().catch((again: Error) => Promise.reject(notBuilt(again)));
  }
}

/** Throws where better-sqlite3 could not be built: a test that needs it calls this first. */
export function needBetterSqlite3(): void {
  const problem = process.env['HOLDFAST_TEST_SQLITE_PROBLEM'];
  if (problem) throw new Error(problem);
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
