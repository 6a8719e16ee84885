import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { root } from './tools.mjs';

const stamp = new URL('node_modules/.cache/holdfast-build.json', root);
const inputs = [
  'src',
  'scripts/build.mjs',
  'tsconfig.base.json',
  'tsconfig.cjs.json',
  'tsconfig.esm.json',
  'node_modules/typescript/package.json',
];

/** Whether dist is, file by file, what the last build made, and that of the sources as they are. */
export function isBuilt() {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === state();
}

/** Called when dist is complete. */
export function stampBuild() {
  mkdirSync(new URL('.', stamp), { recursive: true });
  writeFileSync(stamp, state());
}

function state() {
  return JSON.stringify({ inputs: hashOf(inputs), dist: hashOf(['dist']) });
}

function hashOf(paths) {
  const hash = createHash('sha256');
  for (const path of paths.flatMap(filesOf))
    hash.update(`${path}\0`).update(readFileSync(new URL(path, root)));
  return hash.digest('hex');
}

function filesOf(path) {
  const url = new URL(path, root);
  if (!existsSync(url)) return [];
  if (!statSync(url).isDirectory()) return [path];
  return readdirSync(url)
    .sort()
    .flatMap((name) => filesOf(`${path}/${name}`));
}
