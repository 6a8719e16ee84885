import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transformFileSync } from '@swc/core';

const root = join(__dirname, '../..');
const cache = join(root, 'node_modules/.cache/holdfast-program');

/**
 * The folder of the package as npm would install it, compiled from `src` by swc: what tsc makes of it is
 * tested by the consumers' suite. Its name is the hash of what went into it, so that the suite compiles once.
 */
export function installedPackage(): string {
  const sources = sourceFiles();
  const folder = join(cache, hashOf(sources));
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const building = mkdtempSync(join(cache, 'building-'));
  build(sources, building);
  try {
    renameSync(building, folder);
  } catch (error) {
    // Another worker was faster.
    rmSync(building, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

function sourceFiles(): string[] {
  const inSource = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  return inSource.filter((name) => name.endsWith('.ts')).sort();
}

function hashOf(sources: readonly string[]): string {
  const hash = createHash('sha256').update(readFileSync(join(root, 'package.json')));
  for (const name of sources) hash.update(name).update(readFileSync(join(root, 'src', name)));
  return hash.digest('hex').slice(0, 16);
}

function build(sources: readonly string[], folder: string): void {
  for (const name of sources) {
    const path = join(folder, 'dist/cjs', name.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(path), { recursive: true });
    const { code } = transformFileSync(join(root, 'src', name), {
      configFile: false,
      swcrc: false,
      jsc: { target: 'es2022', parser: { syntax: 'typescript' }, keepClassNames: true },
      // `import()` stays one, as in what tsc builds.
      module: { type: 'commonjs', ignoreDynamic: true, exportInteropAnnotation: true },
    });
    writeFileSync(path, code);
  }
  writeFileSync(join(folder, 'dist/cjs/package.json'), '{ "type": "commonjs" }\n');
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
}
