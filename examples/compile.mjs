// Compiles an example into its dist/ with plain tsc, as an application's own build would.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { tsc7 } from '../scripts/tools.mjs';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Builds the library first when its source has changed since. Ends the process when tsc does not like something. */
export function compile(folder) {
  node(['scripts/generate-prisma.mjs']);
  node(['scripts/build.mjs', '--if-changed']);
  node([tsc7, '-p', folder]);
}

function node(args) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
