import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
// Without ".js": jest loads its global setup with Node's own require, which knows no name mapping.
import { findMariadb, type MariadbInstallation, otherMysqlHint } from './mariadb-binary';
import { findFreePort, findOwner, readOrEmpty, type ServerOwner, whenEnded } from './private-server';
import { ServerWatchdog } from './server-watchdog';

export interface RunningMariadb {
  /** URL of a user who may do everything; no database. */
  readonly url: string;
  /** Holds the data directory and `server.log`. */
  readonly directory: string;
  readonly pid: number;
  /** Stops the server and removes its directory. Without it both go when this process ends, however it ends. */
  stop(): Promise<void>;
  /** Leaves the server running and its directory in place when this process ends. */
  keep(): Promise<void>;
}

const START_LIMIT_MS = 60_000;
const settings = [
  '--no-defaults',
  '--innodb-buffer-pool-size=64M',
  '--innodb-log-file-size=8M',
  '--innodb-flush-log-at-trx-commit=0',
  '--innodb-use-native-aio=0',
  '--aria-pagecache-buffer-size=8M',
  '--max-connections=300',
  '--skip-name-resolve',
  '--skip-log-bin',
  '--bind-address=127.0.0.1',
  '--default-time-zone=+00:00',
];

/** Starts a private MariaDB on a free port of 127.0.0.1, as root or as a normal user. */
export async function startMariadb(): Promise<RunningMariadb> {
  const installation = findMariadb();
  const owner = findOwner(['mysql', 'nobody']);
  const directory = join(tmpdir(), `holdfast-mariadb-${randomBytes(6).toString('hex')}`);
  // Nothing of it is kept, so it need not end in good order.
  const watchdog = new ServerWatchdog(directory, { lock: 'data/server.pid', signals: [] });
  try {
    for (const path of [directory, join(directory, 'data'), join(directory, 'tmp')]) {
      mkdirSync(path, { mode: 0o700 });
      if (owner.uid !== undefined) chownSync(path, owner.uid, owner.gid ?? 0);
    }
    const server = new ServerFiles(directory, installation, owner);
    await initialise(server, watchdog);
    const { pid, port } = await startOnFreePort(server, watchdog);
    const url = `mysql://holdfast:${server.password}@127.0.0.1:${port}`;
    return { url, directory, pid, stop: () => watchdog.finish(), keep: () => watchdog.letGo() };
  } catch (error) {
    await watchdog.finish();
    throw error;
  }
}

class ServerFiles {
  readonly password = randomBytes(12).toString('hex');
  readonly log: string;

  constructor(
    readonly directory: string,
    readonly installation: MariadbInstallation,
    readonly owner: ServerOwner,
  ) {
    this.log = join(directory, 'server.log');
  }

  spawn(args: readonly string[], stdin: 'pipe' | 'ignore'): ChildProcess {
    const log = openSync(this.log, 'a', 0o600);
    const { uid, gid } = this.owner;
    try {
      return spawn(
        this.installation.mariadbd,
        [
          ...settings,
          `--datadir=${join(this.directory, 'data')}`,
          // Servers that start at once in one folder remove each other's temporary tables.
          `--tmpdir=${join(this.directory, 'tmp')}`,
          ...args,
        ],
        {
          cwd: this.directory,
          // A group of its own, so that Ctrl-C reaches this process only and the watchdog decides about the server.
          detached: true,
          env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
          stdio: [stdin, log, log],
          ...(uid === undefined ? {} : { uid, gid }),
        },
      );
    } finally {
      closeSync(log);
    }
  }

  failure(what: string): Error {
    const output = readOrEmpty(this.log).split('\n').slice(-25).join('\n').trim();
    return new Error(
      `Could not start a MariaDB for the tests: ${what}. ${otherMysqlHint}\nIts last output:\n${output}`,
    );
  }
}

/** Does what mariadb-install-db does, which needs parts of the client's package. */
async function initialise(server: ServerFiles, watchdog: ServerWatchdog): Promise<void> {
  const child = server.spawn(['--bootstrap'], 'pipe');
  child.stdin!.on('error', () => undefined);
  child.stdin!.end(`
CREATE DATABASE mysql;
USE mysql;
SET @auth_root_socket=NULL;
SET @skip_auth_anonymous=1;
SET @current_hostname='localhost';
${server.installation.systemTables}
FLUSH PRIVILEGES;
CREATE USER holdfast@'%' IDENTIFIED BY '${server.password}';
GRANT ALL ON *.* TO holdfast@'%' WITH GRANT OPTION;
DELETE FROM mysql.global_priv WHERE User = 'root';
`);
  const how = await whenEnded(child, watchdog);
  if (how !== 'exit 0') throw server.failure(`filling its data directory ended with ${how}`);
}

async function startOnFreePort(
  server: ServerFiles,
  watchdog: ServerWatchdog,
): Promise<{ pid: number; port: number }> {
  let ended: string | undefined;
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    const port = await findFreePort();
    const { directory } = server;
    const files = [`--socket=${directory}/socket`, `--pid-file=${directory}/data/server.pid`];
    const child = server.spawn([`--port=${port}`, ...files], 'ignore');
    ended = undefined;
    void whenEnded(child, watchdog).then((how) => (ended = how));
    const deadline = Date.now() + START_LIMIT_MS;
    while (ended === undefined && Date.now() < deadline) {
      if (readOrEmpty(server.log).includes('ready for connections')) {
        child.unref();
        return { pid: child.pid ?? 0, port };
      }
      await sleep(10);
    }
    if (ended === undefined || !/address already in use/i.test(readOrEmpty(server.log))) break;
  }
  throw server.failure(
    ended === undefined ? `it was not ready after ${START_LIMIT_MS} ms` : `it ended with ${ended}`,
  );
}
