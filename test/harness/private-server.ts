import { execFileSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerWatchdog } from './server-watchdog';

/** A database server of this test run's own. */
export interface RunningServer {
  /** Leads to it as a user who may do everything. */
  readonly url: string;
  /** Holds the data directory and `server.log`. */
  readonly directory: string;
  readonly pid: number;
  /** Stops the server and removes its directory. Without it both go when this process ends, however it ends. */
  stop(): Promise<void>;
  /** Leaves the server running and its directory in place when this process ends. */
  keep(): Promise<void>;
}

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

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/** How a server is started, and known to be ready. */
export interface ServerStart {
  spawn(port: number): ChildProcess;
  isReady(): boolean;
  readLog(): string;
  readonly limitMs: number;
}

/** Resolves to the running server, or to why there is none. */
export async function startOnFreePort(
  { spawn, isReady, readLog, limitMs }: ServerStart,
  watchdog: ServerWatchdog,
): Promise<{ pid: number; port: number } | { problem: string }> {
  let ended: string | undefined;
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    const port = await findFreePort();
    const child = spawn(port);
    ended = undefined;
    void whenEnded(child, watchdog).then((how) => (ended = how));
    const deadline = Date.now() + limitMs;
    while (ended === undefined && Date.now() < deadline) {
      if (isReady()) {
        child.unref();
        return { pid: child.pid ?? 0, port };
      }
      await sleep(10);
    }
    if (ended === undefined || !/address already in use/i.test(readLog())) break;
  }
  return { problem: ended === undefined ? `was not ready after ${limitMs} ms` : `ended with ${ended}` };
}

export function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
