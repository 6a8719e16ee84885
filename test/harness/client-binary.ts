import { spawnSync } from 'node:child_process';
import { aptInstall, installPackages, mayInstall } from './apt.js';

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
  const found = lookFor(client) ?? install(name, client);
  if (found) return found;
  throw new Error(
    `No ${name} client to test with: there is no ${client.programs.join(' or ')} in PATH that runs. Run: sudo ${aptInstall(client.debian)}`,
  );
}

function lookFor({ programs, mark }: KnownClient): DatabaseClient | undefined {
  for (const program of programs) {
    // Debian's psql is a script that says on stderr that there is no psql behind it.
    const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
    if (stdout?.includes(mark)) return { program, version: stdout.trim() };
  }
  return undefined;
}

function install(name: string, client: KnownClient): DatabaseClient | undefined {
  if (!mayInstall()) return undefined;
  const command = aptInstall(client.debian);
  process.stderr.write(`No ${name} client found; installing one for the tests: ${command}\n`);
  try {
    installPackages(client.debian);
  } catch (error) {
    throw new Error(`No ${name} client to test with, and it could not be installed. Run: ${command}`, {
      cause: error,
    });
  }
  return lookFor(client);
}
