import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** The command that installs these packages of Debian, and nothing that they merely recommend. */
export const aptInstall = (packages: string): string =>
  `apt-get install --yes --no-install-recommends ${packages}`;

/** Whether this process may install packages: it is root on a system with apt. */
export const mayInstall = (): boolean => process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');

/** Installs packages of Debian. Throws what apt-get ended with. */
export function installPackages(packages: string): void {
  for (const command of ['apt-get update', aptInstall(packages)]) {
    const [program, ...args] = command.split(' ');
    execFileSync(program!, args, {
      stdio: 'ignore',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  }
}
