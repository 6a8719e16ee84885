import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Command } from './programs.js';

export interface Run {
  readonly seconds: number;
  /** The most memory that the process held, in MB, as the kernel counts it; only on Linux. */
  readonly peakMb: number;
}

/** Runs a command to its end. Throws, with what it said, when it does not end with 0. */
export async function runCommand({ file, args, env, input, cwd }: Command): Promise<Run> {
  const stdin = input === undefined ? 'ignore' : openSync(input, 'r');
  const began = performance.now();
  const child = spawn(file, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: [stdin, 'pipe', 'pipe'],
  });
  const said: Buffer[] = [];
  child.stdout?.on('data', (data: Buffer) => void (said.length < 50 && said.push(data)));
  child.stderr?.on('data', (data: Buffer) => void said.push(data));
  let peakMb = 0;
  // The kernel keeps the high-water mark: the last look before the end is what counts.
  const look = setInterval(() => {
    peakMb = Math.max(peakMb, highWaterMark(child.pid));
  }, 20);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  const seconds = (performance.now() - began) / 1000;
  clearInterval(look);
  if (typeof stdin === 'number') closeSync(stdin);
  if (code !== 0)
    throw new Error(`${file} ended with ${code}:\n${Buffer.concat(said).toString().slice(-3000)}`);
  return { seconds, peakMb };
}

function highWaterMark(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
