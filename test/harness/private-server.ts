import { execFileSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { ServerWatchdog } from './server-watchdog';

/** The user that a database server runs as; empty where it runs as whoever runs the tests. */
export interface ServerOwner {
  readonly name?: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** Database servers refuse to run as root, so root lends them to a user that every system has. */
export function findOwner(candidates: readonly string[]): ServerOwner {
  if (process.getuid?.() !== 0) return {};
  for (const name of candidates) {
    try {
      return { name, uid: idOf('-u', name), gid: idOf('-g', name) };
    } catch {
      continue;
    }
  }
  throw new Error(
    `A database server does not run as root, and there is no user of these: ${candidates.join(', ')}. ` +
      `Run the tests as a normal user, or add one: useradd --system ${candidates[0]}.`,
  );
}

function idOf(flag: '-u' | '-g', name: string): number {
  return Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] }).toString());
}

/** Resolves, never rejects: `exit 0`, `signal SIGKILL`, or the error of a spawn that failed. */
export async function whenEnded(child: ChildProcess, watchdog: ServerWatchdog): Promise<string> {
  const pid = child.pid;
  if (pid !== undefined) watchdog.started(pid);
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    return code === null ? `signal ${signal}` : `exit ${code}`;
  } catch (error) {
    return (error as Error).message;
  } finally {
    if (pid !== undefined) watchdog.ended(pid);
  }
}

export async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

export function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
