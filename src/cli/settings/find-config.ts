import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { UsageError } from '../usage-error.js';

/** The names of the configuration file; a folder has at most one of them. */
export const CONFIG_NAMES = ['ts', 'mts', 'cts', 'js', 'mjs', 'cjs', 'json'].map(
  (extension) => `holdfast.config.${extension}`,
);

/**
 * The configuration file of `cwd` or of the nearest folder above it, up to the root of the repository (`.git`) and,
 * outside of one, up to the nearest `package.json`. Throws {@link UsageError} where a folder has two.
 */
export function findConfig(cwd: string): string | undefined {
  for (const folder of foldersFor(cwd)) {
    const [found, other] = CONFIG_NAMES.filter((name) => existsSync(join(folder, name)));
    if (other !== undefined)
      throw new UsageError(
        `${folder} holds both ${found} and ${other}. Keep one of them, or name one with --config.`,
      );
    if (found !== undefined) return join(folder, found);
  }
  return undefined;
}

/** The file that `--config` or HOLDFAST_CONFIG names. Throws {@link UsageError} where there is none. */
export function namedConfig(file: string, cwd: string): string {
  const path = resolve(cwd, file);
  if (existsSync(path)) return path;
  throw new UsageError(
    `There is no configuration file ${relative(cwd, path) || path}, which --config names.`,
  );
}

function foldersFor(cwd: string): string[] {
  const all = [resolve(cwd)];
  for (let parent = dirname(all[0]!); parent !== all.at(-1); parent = dirname(parent)) all.push(parent);
  const firstWith = (name: string): number => all.findIndex((folder) => existsSync(join(folder, name)));
  const repository = firstWith('.git');
  const last = repository === -1 ? firstWith('package.json') : repository;
  return all.slice(0, Math.max(last, 0) + 1);
}
