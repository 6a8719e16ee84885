import { createLock } from '../locks/create-lock.js';
import type { MigrationLock } from '../locks/lock.js';
import type { RunContext } from './run-context.js';
import type { RunSignals } from './signals.js';

export function lockOf({ database, session, history, options }: RunContext): Promise<MigrationLock> {
  return createLock({
    database,
    session,
    history: { ...options.history, schema: history.schema },
    kind: options.lock.kind,
    leaseMs: options.lock.leaseMs,
    clock: options.clock,
  });
}

/** Runs `work` while no other deployer can. Throws `LockBusyError`. */
export async function withLock<T>(
  context: RunContext,
  signals: RunSignals,
  work: (lock: MigrationLock) => Promise<T>,
): Promise<T> {
  const lock = await lockOf(context);
  const { emit, options } = context;
  const begun = options.clock.now();
  await lock.acquire({
    waitMs: options.lock.waitMs,
    signal: signals.either,
    onWaiting: (holder) => emit({ kind: 'waiting for lock', holder }),
  });
  try {
    emit({ kind: 'lock acquired', waitedMs: Math.round(options.clock.now() - begun) });
    return await work(lock);
  } finally {
    await lock.release();
  }
}
