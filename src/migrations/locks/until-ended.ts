import { delay, systemClock } from '../../core/index.js';

const TRIES = 100;
const EVERY_MS = 100;

/**
 * Asks, ten times a second, until a session that is told to end has done so, which takes the server a moment. Resolves to
 * false after ten seconds.
 */
export async function untilEnded(hasEnded: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < TRIES; tries++) {
    if (await hasEnded()) return true;
    await delay(systemClock, EVERY_MS);
  }
  return false;
}
