import { spawnSync } from 'node:child_process';
import { findOrInstall } from './apt.js';

/** The program for the terminal that comes with a database, as it is on this machine. */
export interface DatabaseClient {
  readonly program: string;
  /** What it answers to `--version`. */
  readonly version: string;
}

interface KnownClient {
  readonly programs: readonly string[];
  /** What their version has to name: MySQL has a program `mysql` as well. */
  readonly mark: string;
  /** Debian's package of it alone. */
  readonly debian: string;
}

const known = {
  mariadb: { programs: ['mariadb', 'mysql'], mark: 'MariaDB', debian: 'mariadb-client-core' },
  psql: { programs: ['psql'], mark: 'psql', debian: 'postgresql-client' },
} as const satisfies Record<string, KnownClient>;

/** Finds the client in PATH, or installs it where this process is root on a system with apt. */
export function findClient(name: keyof typeof known): DatabaseClient {
  const client: KnownClient = known[name];
  return findOrInstall({
    name: `${name} client`,
    packages: client.debian,
    missing: `there is no ${client.programs.join(' or ')} in PATH that runs`,
    look: () => lookFor(client),
  });
}

function lookFor({ programs, mark }: KnownClient): DatabaseClient | undefined {
  for (const program of programs) {
    // Debian's psql is a script that says on stderr that there is no psql behind it.
    const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
    if (stdout?.includes(mark)) return { program, version: stdout.trim() };
  }
  return undefined;
}
