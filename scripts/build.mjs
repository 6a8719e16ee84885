// Builds dist/cjs and dist/esm with plain tsc, side by side, from an empty dist. With --if-changed it does nothing where dist is
// what a build made of these sources.
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { isBuilt, stampBuild } from './build-stamp.mjs';
import { oneAtATime } from './one-at-a-time.mjs';
import { root, runTogether, tsc7 } from './tools.mjs';

await oneAtATime('build', async () => {
  if (!process.argv.includes('--if-changed') || !isBuilt()) await build();
});

async function build() {
  rmSync(new URL('dist', root), { recursive: true, force: true });
  for (const [folder, type] of [
    ['cjs', 'commonjs'],
    ['esm', 'module'],
  ]) {
    mkdirSync(new URL(`dist/${folder}`, root), { recursive: true });
    writeFileSync(new URL(`dist/${folder}/package.json`, root), `{ "type": "${type}" }\n`);
  }

  await runTogether([
    [tsc7, '-p', 'tsconfig.cjs.json'],
    [tsc7, '-p', 'tsconfig.esm.json'],
  ]);

  // The bins: npm makes them executable where it installs them, a folder that is linked has to be so already.
  chmodSync(new URL('dist/cjs/cli/main.js', root), 0o755);
  if (!process.exitCode) stampBuild();
}
