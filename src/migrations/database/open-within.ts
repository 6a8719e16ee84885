import { type Clock, settledWithin } from '../../core/index.js';
import type { Database, MigrationSession } from './session.js';

export interface OpenLimits {
  readonly clock: Clock;
  readonly limitMs: number;
  /** What it is rejected with when the time is over. */
  readonly tooLate: () => Error;
}

/**
 * A session of `database`, for which nobody waits longer than that: a pool that is empty lends whenever it likes. One
 * that comes later is given back.
 */
export async function openWithin(
  database: Database,
  { clock, limitMs, tooLate }: OpenLimits,
): Promise<MigrationSession> {
  let session: MigrationSession | undefined;
  let isLate = false;
  const opening = database.open().then((opened) => {
    session = opened;
    if (isLate) void opened.end();
  });
  await Promise.race([opening, settledWithin(clock, limitMs, opening)]);
  if (session) return session;
  isLate = true;
  throw tooLate();
}
