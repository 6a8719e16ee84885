import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';

/**
 * Runs in a process of its own and outlives its parent by a moment: when its stdin closes, for whatever reason
 * (stop, exit, crash, SIGKILL), it stops the processes that it was told of and removes the directory.
 *
 * It also looks for the server's lock file, because a zombie (nobody reaps orphans in many containers) still has a pid.
 */
const source = `
const { existsSync, rmSync } = require('node:fs');
const { join } = require('node:path');
const [, dir, lockName, signals] = process.argv;
const lock = join(dir, lockName);
const steps = [...signals.split(',').filter(Boolean).map((name) => [name, 5000]), ['SIGKILL', 1000]];
const pids = new Set();
let keep = false;
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => {});
const send = (pid, name) => { try { process.kill(pid, name); return true; } catch { return false; } };
const running = () => [...pids].filter((pid) => send(pid, 0) && existsSync(lock));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
async function finish() {
  if (keep) return;
  for (const [name, ms] of steps) {
    for (const pid of pids) send(pid, name);
    const end = Date.now() + ms;
    while (running().length > 0 && Date.now() < end) await sleep(10);
    if (running().length === 0) break;
  }
  for (const pid of pids) send(pid, 'SIGKILL');
  rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const [word, pid] = line.split(' ');
  if (word === 'started') pids.add(Number(pid));
  if (word === 'ended') pids.delete(Number(pid));
  if (word === 'keep') keep = true;
}).on('close', finish);
`;

export interface WatchedServer {
  /** The file, relative to the directory, that is there as long as the server lives. */
  readonly lock: string;
  /** What the server is asked to end with, one after the other, before it is killed. */
  readonly signals: readonly NodeJS.Signals[];
}

/** Guarantees that processes and a directory do not outlive this process. */
export class ServerWatchdog {
  private readonly child: ChildProcess;

  constructor(directory: string, { lock, signals }: WatchedServer) {
    this.child = spawn(process.execPath, ['-e', source, directory, lock, signals.join(',')], {
      cwd: tmpdir(),
      detached: true,
      env: {},
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    this.child.stdin?.on('error', () => undefined);
    this.child.on('error', () => undefined);
    this.child.unref();
    (this.child.stdin as Socket | null)?.unref();
  }

  started(pid: number): void {
    this.tell(`started ${pid}`);
  }

  ended(pid: number): void {
    this.tell(`ended ${pid}`);
  }

  /** Stops the processes and removes the directory; resolves when both are gone. */
  async finish(): Promise<void> {
    const { pid, exitCode, signalCode } = this.child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    this.child.ref();
    const exit = once(this.child, 'exit');
    this.child.stdin?.end();
    await exit;
  }

  /** Leaves the processes and the directory alone. */
  async letGo(): Promise<void> {
    this.tell('keep');
    await this.finish();
  }

  private tell(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }
}
