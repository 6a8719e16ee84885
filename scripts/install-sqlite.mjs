// Installs what test/sqlite needs beside the repository's own dependencies, where its lockfile is newer. No install script runs, so
// this takes nothing but the registry: types and JavaScript. The tests build the binary (test/harness/better-sqlite3.ts).
import { execSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { root } from './tools.mjs';

const folder = fileURLToPath(new URL('test/sqlite/', root));
const changedAt = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);

if (changedAt(`${folder}node_modules/.package-lock.json`) < changedAt(`${folder}package-lock.json`)) {
  execSync('npm ci --ignore-scripts --no-audit --no-fund', {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
