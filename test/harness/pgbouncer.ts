import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findOwner, readOrEmpty, startOnFreePort } from './private-server.js';
import { ServerWatchdog } from './server-watchdog.js';

/** `pool_mode` of PgBouncer. */
export type PoolMode = 'transaction' | 'session' | 'statement';

const START_LIMIT_MS = 60_000;

/**
 * Starts a PgBouncer in front of a PostgreSQL: it lets everybody in, and has `size` sessions for a database.
 */
export async function startPgbouncer(
  url: string,
  { mode, size }: { mode: PoolMode; size: number },
): Promise<{ url: string; close(): Promise<void> }> {
  const problem = process.env['HOLDFAST_TEST_PGBOUNCER_PROBLEM'];
  const program = process.env['HOLDFAST_TEST_PGBOUNCER'];
  if (problem !== undefined || program === undefined) throw new Error(problem ?? 'No PgBouncer.');
  const owner = findOwner(['postgres', 'nobody']);
  const folder = join(tmpdir(), `holdfast-pgbouncer-${randomBytes(6).toString('hex')}`);
  const watchdog = new ServerWatchdog(folder, { lock: 'pid', signals: ['SIGQUIT'] });
  mkdirSync(folder, { mode: 0o700 });
  const [settings, log] = [join(folder, 'pgbouncer.ini'), join(folder, 'log')];
  const run = (port: number): ReturnType<typeof spawn> => {
    writeFileSync(settings, settingsOf(url, { mode, size, port, folder }), { mode: 0o600 });
    const output = openSync(log, 'a', 0o600);
    for (const path of [folder, settings, log])
      if (owner.uid !== undefined) chownSync(path, owner.uid, owner.gid ?? 0);
    try {
      return spawn(program, [settings], {
        cwd: folder,
        detached: true,
        stdio: ['ignore', output, output],
        ...owner,
      });
    } finally {
      closeSync(output);
    }
  };
  const started = await startOnFreePort(
    {
      spawn: run,
      isReady: () => readOrEmpty(log).includes('process up'),
      readLog: () => readOrEmpty(log),
      limitMs: START_LIMIT_MS,
    },
    watchdog,
  );
  if ('problem' in started) {
    const output = readOrEmpty(log);
    await watchdog.finish();
    throw new Error(`Could not start ${program} for the tests: it ${started.problem}.\n${output}`);
  }
  const pooled = new URL(url);
  pooled.hostname = '127.0.0.1';
  pooled.port = String(started.port);
  return { url: pooled.href, close: () => watchdog.finish() };
}

interface Settings {
  readonly mode: PoolMode;
  readonly size: number;
  readonly port: number;
  readonly folder: string;
}

/** https://www.pgbouncer.org/config.html */
function settingsOf(url: string, { mode, size, port, folder }: Settings): string {
  const { hostname, port: serverPort, username, password } = new URL(url);
  const quoted = (value: string): string => `'${decodeURIComponent(value).replaceAll("'", "''")}'`;
  return [
    '[databases]',
    `* = host=${hostname} port=${serverPort || '5432'} user=${quoted(username)} password=${quoted(password)}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    `pidfile = ${join(folder, 'pid')}`,
    'auth_type = any',
    `pool_mode = ${mode}`,
    `default_pool_size = ${size}`,
    // What pg sends with startup parameters that PgBouncer keeps for no client.
    'ignore_startup_parameters = extra_float_digits,options',
    '',
  ].join('\n');
}
