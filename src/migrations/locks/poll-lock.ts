import { type Clock, delay } from '../../core/index.js';
import { LockBusyError, MigrationInterruptedError } from '../errors.js';
import { describeHolder } from './describe-holder.js';
import type { AcquireLockOptions, LockHolder } from './lock.js';

/** Between two tries. The first wait is short: most migrations are. */
const FIRST_DELAY_MS = 50;
const MOST_DELAY_MS = 1000;

export interface PolledLock {
  /** What is waited for, for messages: `the migration lock of "public"."holdfast_schema_history"`. */
  readonly label: string;
  readonly clock: Clock;
  /** Tries once, without waiting. */
  tryAcquire(): Promise<boolean>;
  holder(): Promise<LockHolder | undefined>;
}

/**
 * Tries until the lock is ours. It never waits inside the server: a session that is blocked in `pg_advisory_lock()` makes
 * the holder's CREATE INDEX CONCURRENTLY fail as a deadlock.
 */
export async function pollLock(lock: PolledLock, options: AcquireLockOptions): Promise<void> {
  const { clock } = lock;
  const start = clock.now();
  let told: string | undefined;
  for (let pause = FIRST_DELAY_MS; ; pause = Math.min(pause * 2, MOST_DELAY_MS)) {
    if (options.signal?.aborted) throw interrupted(lock.label);
    if (await lock.tryAcquire()) return;
    const holder = await lock.holder();
    const left = options.waitMs - (clock.now() - start);
    if (left <= 0) throw busy(lock.label, options.waitMs, holder);
    // Since when is worked out from its age, and is a second off where the answer takes a little longer.
    const telling = JSON.stringify({ ...holder, since: undefined });
    // Nobody: it was let go between the two questions, and the next try will tell.
    if (told === undefined || (holder && telling !== told)) {
      options.onWaiting(holder);
      told = telling;
    }
    // Deployers that began at once should not try at once.
    await pauseFor(clock, Math.min(pause * (0.5 + Math.random() / 2), left), options.signal);
  }
}

async function pauseFor(clock: Clock, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return delay(clock, delayMs);
  const stop = new AbortController();
  const aborted = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true, signal: stop.signal });
  });
  await Promise.race([delay(clock, delayMs), aborted]);
  stop.abort();
}

function busy(label: string, waitMs: number, holder: LockHolder | undefined): LockBusyError {
  const waited = waitMs > 0 ? `, for the ${waitMs} ms that were waited` : '';
  return new LockBusyError(
    `Somebody else holds ${label}${waited}: ${describeHolder(holder)}. Run again when it is done; if it is dead, take the lock away with \`migrate unlock\`.`,
    { holder },
  );
}

function interrupted(label: string): MigrationInterruptedError {
  return new MigrationInterruptedError(`Interrupted while waiting for ${label}. Nothing was applied.`, {
    effect: 'rolled back',
  });
}
