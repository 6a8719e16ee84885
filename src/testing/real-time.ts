import { clearTimeout, setTimeout } from 'node:timers';

// Kept as they are now: a test may leave the fake timers of its runner in place.
const real = { setTimeout, clearTimeout };

/** Resolves after `ms` milliseconds, also under fake timers. */
export function realDelay(ms: number): Promise<void> {
  return new Promise((resolve) => void real.setTimeout(resolve, ms));
}

/** Whether `work`, which never rejects, has settled after `ms` milliseconds; fake timers make no difference. */
export function settledInRealTime(work: Promise<unknown>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = real.setTimeout(() => resolve(false), ms);
    void work.then(() => {
      real.clearTimeout(timer);
      resolve(true);
    });
  });
}

/** Whether timers of the global `setTimeout` do not fire by themselves. */
export async function timersAreFake(): Promise<boolean> {
  let fired = false;
  globalThis.setTimeout(() => (fired = true), 0);
  await realDelay(50);
  return !fired;
}
