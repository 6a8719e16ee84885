// Installs what the benchmark needs, builds the library into bench/node_modules/holdfast, and runs it.
// Options: bench/README.md.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isBuilt } from '../scripts/build-stamp.mjs';

const bench = new URL('.', import.meta.url);
const root = new URL('..', bench);
const tsc = fileURLToPath(new URL('node_modules/typescript7/bin/tsc', root));
const args = process.argv.slice(2);

if (args.includes('--help')) {
  // The options stand in one place.
  const [, table] =
    /```\n\n(\| option[^]*?)\n\n## /.exec(readFileSync(new URL('README.md', bench), 'utf8')) ?? [];
  console.log(`npm run bench -- [options]\n\n${table}`);
  process.exit();
}
install();
run(process.execPath, ['scripts/generate-prisma.mjs'], root);
// A copy of its own: the benchmark can run while others build, and `dist` stays as it is.
if (args.includes('--compile') && isBuilt()) copyLibrary();
else buildLibrary('holdfast', root);
const before = valueOf('--before');
rmSync(new URL('node_modules/holdfast-before', bench), { recursive: true, force: true });
rmSync(new URL('dist', bench), { recursive: true, force: true });
if (before) {
  const sources = checkout(before);
  buildLibrary('holdfast-before', sources);
  rmSync(sources, { recursive: true });
}
run(process.execPath, [tsc, '-p', 'tsconfig.json'], bench);
writeFileSync(new URL('dist/package.json', bench), '{ "type": "commonjs" }\n');
if (args.includes('--compile')) process.exit();

const entries = { '--heap': 'heap', '--migrate': 'migrate/main', '--monitor': 'monitor' };
const entry = entries[args.find((arg) => arg in entries)] ?? 'main';
const script = fileURLToPath(new URL(`dist/bench/src/${entry}.js`, bench));
const flags = ['--expose-gc', '--enable-source-maps', script, ...args];
process.exitCode = spawnSync(process.execPath, flags, { cwd: root, stdio: 'inherit' }).status ?? 1;

function install() {
  const installed = new URL('node_modules/.package-lock.json', bench);
  const wanted = new URL('package-lock.json', bench);
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return;
  run('npm', ['ci', '--no-audit', '--no-fund'], bench);
}

/** To compile against: what `npm run build` has left. */
function copyLibrary() {
  const target = new URL('node_modules/holdfast/', bench);
  rmSync(target, { recursive: true, force: true });
  for (const name of ['package.json', 'dist'])
    cpSync(new URL(name, root), new URL(name, target), { recursive: true });
}

function buildLibrary(name, from) {
  const target = new URL(`node_modules/${name}/`, bench);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  cpSync(new URL('package.json', from), new URL('package.json', target));
  for (const [folder, type] of [
    ['cjs', 'commonjs'],
    ['esm', 'module'],
  ]) {
    const outDir = new URL(`dist/${folder}/`, target);
    mkdirSync(outDir, { recursive: true });
    writeFileSync(new URL('package.json', outDir), `{ "type": "${type}" }\n`);
    run(process.execPath, [tsc, '-p', `tsconfig.${folder}.json`, '--outDir', fileURLToPath(outDir)], from);
  }
}

/**
 * The sources of a git revision, beside what the library is compiled against: the benchmark has other versions of some of it.
 * Not inside node_modules: there TypeScript goes by package.json, and compiles the ES modules to CommonJS.
 */
function checkout(revision) {
  const folder = new URL('dist/holdfast-before/', root);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const wanted = ['src', 'package.json', 'tsconfig.base.json', 'tsconfig.cjs.json', 'tsconfig.esm.json'];
  const archive = execFileSync('git', ['archive', revision, ...wanted], {
    cwd: root,
    maxBuffer: 64 * 1024 * 1024,
  });
  execFileSync('tar', ['-x'], { cwd: folder, input: archive });
  return folder;
}

function run(command, commandArgs, cwd) {
  const { status } = spawnSync(command, commandArgs, { cwd, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

function valueOf(option) {
  const index = args.indexOf(option);
  return index === -1 ? undefined : args[index + 1];
}
