import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The command that installs these packages of Debian, and nothing that they merely recommend. */
export const aptInstall = (packages: string): string =>
  `apt-get install --yes --no-install-recommends ${packages}`;

/** Whether this process may install packages: it is root on a system with apt. */
export const mayInstall = (): boolean => process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');

/** Installs packages of Debian. Throws what apt-get ended with. */
export function installPackages(packages: string): void {
  // One worker of the tests after the other: apt-get fails where another one is at it.
  const lock = join(tmpdir(), 'holdfast-apt.lock');
  for (const command of ['apt-get update', aptInstall(packages)]) {
    execFileSync('flock', [lock, ...command.split(' ')], {
      stdio: 'ignore',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  }
}

/** A program or library that tests need of the machine. */
export interface Needed<T> {
  /** What messages call it. */
  readonly name: string;
  /** Debian's packages of it. */
  readonly packages: string;
  /** What was looked for: `there is no mariadbd in PATH`. */
  readonly missing: string;
  /** What would do in its place. */
  readonly otherwise?: string;
  look(): T | undefined;
}

/** Finds it, or installs it where this process may. Throws with the command to run. */
export function findOrInstall<T>({ name, packages, missing, otherwise, look }: Needed<T>): T {
  const found = look();
  if (found !== undefined) return found;
  const advice = [`Run: sudo ${aptInstall(packages)}`, otherwise].filter(Boolean).join('  ');
  if (mayInstall()) {
    process.stderr.write(`No ${name} found; installing one for the tests: ${aptInstall(packages)}\n`);
    try {
      installPackages(packages);
    } catch (cause) {
      throw new Error(`No ${name} to test with, and it could not be installed. ${advice}`, { cause });
    }
    const installed = look();
    if (installed !== undefined) return installed;
  }
  throw new Error(`No ${name} to test with: ${missing}. ${advice}`);
}

/** The first of the executables that is in PATH, or in one of the folders. */
export function executableOf(names: readonly string[], folders: readonly string[]): string | undefined {
  const all = [...(process.env['PATH'] ?? '').split(':'), ...folders];
  return names.flatMap((name) => all.map((folder) => join(folder, name))).find((path) => existsSync(path));
}
