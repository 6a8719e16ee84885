// Compiles an example into its dist/ with plain tsc, as an application's own build would.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Builds the library first when its source has changed since. Ends the process when tsc does not like something. */
export function compile(folder) {
  node(['scripts/generate-prisma.mjs']);
  if (!isBuilt()) node(['scripts/build.mjs']);
  node(['node_modules/typescript/bin/tsc', '-p', folder]);
}

function isBuilt() {
  const built = join(root, 'dist/esm/index.js');
  if (!existsSync(built)) return false;
  const { mtimeMs } = statSync(built);
  const sources = readdirSync(join(root, 'src'), { recursive: true });
  return sources.every((file) => statSync(join(root, 'src', file)).mtimeMs < mtimeMs);
}

function node(args) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
