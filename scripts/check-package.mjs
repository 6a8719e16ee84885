// Packs once and asks publint and Are The Types Wrong about that tarball.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, runTogether } from './tools.mjs';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-pack-'));
try {
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const tarball = join(folder, readdirSync(folder)[0]);
  await runTogether([
    ['node_modules/publint/src/cli.js', '--strict', tarball],
    ['node_modules/@arethetypeswrong/cli/dist/index.js', tarball],
  ]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
