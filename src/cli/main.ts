#!/usr/bin/env node
import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { ExitCode } from './exit-codes.js';
import { optimizeLater } from './optimize-later.js';
import { runProgram } from './program.js';

/** How long what a migration or the configuration left open may hold the process after the command is over. */
const LINGER_MS = 5000;

function endedBy(exitCode: ExitCode): void {
  process.exitCode = exitCode;
  setTimeout(() => {
    const open = [...new Set(process.getActiveResourcesInfo())].join(', ');
    process.stderr.write(
      `Something that a migration or the configuration opened is still open (${open}); ending.\n`,
    );
    process.exit(exitCode);
  }, LINGER_MS).unref();
}

/** Of the package that the script is in: a bin is a link to dist/cjs/cli/main.js. */
function packageVersion(script: string): string {
  const path = join(dirname(realpathSync(script)), '../../../package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

optimizeLater();
const [, script = '', ...argv] = process.argv;
const name = basename(script).startsWith('migrate') ? 'migrate' : 'holdfast';
void runProgram(
  { name, version: packageVersion(script), argv },
  {
    env: process.env,
    cwd: process.cwd(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
  },
).then(endedBy);
