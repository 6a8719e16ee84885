import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// Without ".js": jest loads its global setup with Node's own require, which knows no name mapping.
import { findMariadb, type MariadbInstallation, otherMysqlHint } from './mariadb-binary';
import {
  findOwner,
  readOrEmpty,
  type RunningServer,
  type ServerOwner,
  startOnFreePort,
  whenEnded,
} from './private-server';
import { ServerWatchdog } from './server-watchdog';

const settings = [
  '--no-defaults',
  '--innodb-buffer-pool-size=64M',
  '--innodb-log-file-size=8M',
  '--innodb-flush-log-at-trx-commit=0',
  '--innodb-use-native-aio=0',
  // What fsync=off is to PostgreSQL: each CREATE TABLE would wait several times for the disk.
  '--innodb-flush-method=nosync',
  '--loose-debug-no-sync',
  '--loose-skip-sync-frm',
  '--aria-pagecache-buffer-size=8M',
  '--max-connections=300',
  '--skip-name-resolve',
  '--skip-log-bin',
  '--bind-address=127.0.0.1',
  '--default-time-zone=+00:00',
];

/** Starts a private MariaDB on a free port of 127.0.0.1, as root or as a normal user. `options` are added to its command line. */
export async function startMariadb(options: readonly string[] = []): Promise<RunningServer> {
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
    const server = new ServerFiles(directory, installation, { owner, options });
    await initialise(server, watchdog);
    const started = await startOnFreePort(server, watchdog);
    if ('problem' in started) throw server.failure(`the server ${started.problem}`);
    const { pid, port } = started;
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
  readonly limitMs = 60_000;

  constructor(
    readonly directory: string,
    readonly installation: MariadbInstallation,
    readonly extra: { readonly owner: ServerOwner; readonly options: readonly string[] },
  ) {
    this.log = join(directory, 'server.log');
  }

  readonly spawn = (port: number): ChildProcess =>
    this.run(
      [`--port=${port}`, `--socket=${this.directory}/socket`, `--pid-file=${this.directory}/data/server.pid`],
      'ignore',
    );

  readonly isReady = (): boolean => this.readLog().includes('ready for connections');
  readonly readLog = (): string => readOrEmpty(this.log);

  run(args: readonly string[], stdin: 'pipe' | 'ignore'): ChildProcess {
    const log = openSync(this.log, 'a', 0o600);
    const { uid, gid } = this.extra.owner;
    try {
      return spawn(
        this.installation.mariadbd,
        [
          ...settings,
          `--datadir=${join(this.directory, 'data')}`,
          // Servers that start at once in one folder remove each other's temporary tables.
          `--tmpdir=${join(this.directory, 'tmp')}`,
          ...this.extra.options,
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
    const output = this.readLog().split('\n').slice(-25).join('\n').trim();
    return new Error(
      `Could not start a MariaDB for the tests: ${what}. ${otherMysqlHint}\nIts last output:\n${output}`,
    );
  }
}

/** Does what mariadb-install-db does, which needs parts of the client's package. */
async function initialise(server: ServerFiles, watchdog: ServerWatchdog): Promise<void> {
  const child = server.run(['--bootstrap'], 'pipe');
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
