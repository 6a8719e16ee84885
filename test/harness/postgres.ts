import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// Without ".js": jest loads its global setup with Node's own require, which knows no name mapping.
import {
  findOwner,
  readOrEmpty,
  type RunningServer,
  type ServerOwner,
  startOnFreePort,
  whenEnded,
} from './private-server';
import { findPostgresBinaries, otherServerHint, reachableBinaries } from './postgres-binaries';
import type { PostgresBinaries } from './postgres-binaries';
import { ServerWatchdog } from './server-watchdog';

export interface StartPostgresOptions {
  /** More server settings, for example `{ max_connections: '20' }`. They win over the defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** How long the server may take to accept connections. Default 60000. */
  readonly startTimeoutMs?: number;
  /** Makes the data directory in place of initdb. */
  readonly copyOf?: DataCopy;
}

/** The data of another server. */
export interface DataCopy {
  /** Of the user `postgres` in it. */
  readonly password: string;
  copyTo(target: { readonly data: string; readonly owner: ServerOwner }): Promise<void>;
}

const defaultSettings = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  max_prepared_transactions: '5',
  timezone: 'UTC',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
};

/** Starts a private PostgreSQL on a free port of 127.0.0.1, as root or as a normal user. */
export async function startPostgres(options: StartPostgresOptions = {}): Promise<RunningServer> {
  const binaries = findPostgresBinaries();
  const owner = findOwner(['postgres', 'nobody']);
  const directory = join(tmpdir(), `holdfast-pg-${randomBytes(6).toString('hex')}`);
  const watchdog = new ServerWatchdog(directory, {
    lock: 'data/postmaster.pid',
    signals: ['SIGINT', 'SIGQUIT'],
  });
  try {
    mkdirSync(directory, { mode: 0o700 });
    if (owner.uid !== undefined) chownSync(directory, owner.uid, owner.gid ?? 0);
    const reachable = owner.uid === undefined ? binaries : reachableBinaries(binaries, directory);
    const server = new ServerFiles(directory, reachable, owner);
    const { copyOf } = options;
    if (copyOf === undefined) await initialise(server, watchdog);
    else await copyOf.copyTo(server);
    const settings = { ...defaultSettings, ...options.settings };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const started = await startOnFreePort(
      {
        spawn: (port) => server.spawn('postgres', ['-D', server.data, '-p', String(port), ...flags]),
        isReady: () => server.isReady(),
        readLog: () => server.readLog(),
        limitMs: options.startTimeoutMs ?? 60_000,
      },
      watchdog,
    );
    if ('problem' in started) {
      throw startError(`the server ${started.problem}`, {
        advice: accessAdvice(server),
        log: server.readLog(),
      });
    }
    const { pid, port } = started;
    const { password } = copyOf ?? server;
    const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
    return { url, directory, pid, stop: () => watchdog.finish(), keep: () => watchdog.letGo() };
  } catch (error) {
    await watchdog.finish();
    throw error;
  }
}

class ServerFiles {
  readonly password = randomBytes(12).toString('hex');
  readonly data: string;
  readonly log: string;

  constructor(
    readonly directory: string,
    readonly binaries: PostgresBinaries,
    readonly owner: ServerOwner,
  ) {
    this.data = join(directory, 'data');
    this.log = join(directory, 'server.log');
  }

  spawn(binary: keyof PostgresBinaries, args: readonly string[]): ChildProcess {
    const log = openSync(this.log, 'a', 0o600);
    const options: SpawnOptions = {
      cwd: this.directory,
      // A group of its own, so that Ctrl-C reaches this process only and the watchdog decides about the server.
      detached: true,
      env: { PATH: process.env['PATH'], SystemRoot: process.env['SystemRoot'], LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', log, log],
      windowsHide: true,
      ...(this.owner.uid === undefined ? {} : { uid: this.owner.uid, gid: this.owner.gid }),
    };
    try {
      return spawn(this.binaries[binary], args, options);
    } finally {
      closeSync(log);
    }
  }

  readLog(): string {
    return readOrEmpty(this.log).split('\n').slice(-25).join('\n').trim();
  }

  /** The server writes its state as the eighth line of postmaster.pid; pg_ctl waits for it the same way. */
  isReady(): boolean {
    return readOrEmpty(join(this.data, 'postmaster.pid')).split('\n')[7]?.trim() === 'ready';
  }
}

async function initialise(server: ServerFiles, watchdog: ServerWatchdog): Promise<void> {
  const passwordFile = join(server.directory, 'password');
  writeFileSync(passwordFile, `${server.password}\n`, { mode: 0o600 });
  if (server.owner.uid !== undefined) chownSync(passwordFile, server.owner.uid, server.owner.gid ?? 0);
  const child = server.spawn('initdb', [
    `--pgdata=${server.data}`,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    // In clear, on the loopback: each of tens of thousands of connections would take two more round trips with SCRAM.
    '--auth=password',
    '--set=scram_iterations=1',
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync',
    '--no-instructions',
  ]);
  const failure = await whenEnded(child, watchdog);
  rmSync(passwordFile, { force: true });
  if (failure === 'exit 0') return;
  throw startError(`initdb ended with ${failure}`, { advice: accessAdvice(server), log: server.readLog() });
}

function accessAdvice({ owner, binaries }: ServerFiles): string {
  if (owner.name === undefined) return '';
  return (
    `As root it runs as the user "${owner.name}", who needs to read and execute ${binaries.postgres} ` +
    'and every folder above it: give TMPDIR a folder that every user may enter, or run the tests as a normal user.'
  );
}

function startError(what: string, details: { advice: string; log?: string }): Error {
  const log = details.log ? `\nIts last output:\n${details.log}` : '';
  const advice = [details.advice, otherServerHint].filter(Boolean).join(' ');
  return new Error(`Could not start a PostgreSQL for the tests: ${what}. ${advice}${log}`);
}
