import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './tools.mjs';

/** Does the work when no other process is at work of this name: its lock is a file with its process id, void when that has ended. */
export async function oneAtATime(name, work) {
  const lock = new URL(`node_modules/.cache/holdfast-${name}.lock`, root);
  mkdirSync(new URL('.', lock), { recursive: true });
  while (!take(lock)) await sleep(100);
  try {
    await work();
  } finally {
    rmSync(lock);
  }
}

function take(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    if (!isHeld(lock)) rmSync(lock, { force: true });
    return false;
  }
}

function isHeld(lock) {
  try {
    // Empty for a moment: signal 0 to process 0 is one to ourselves.
    process.kill(Number(readFileSync(lock, 'utf8')), 0);
    return true;
  } catch (error) {
    // Given back in between: a lock that is there by now is somebody's.
    return error.code === 'ENOENT' || error.code === 'EPERM';
  }
}
