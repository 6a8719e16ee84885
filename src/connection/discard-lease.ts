import { getLogger } from '../core/index.js';
import type { DriverLease } from './driver-lease.js';
import { ConnectionLostError } from './errors.js';

/**
 * Closes a connection that was lent inside a transaction: what its last holder left open on it would be committed together
 * with the next transaction. Throws when no try is left.
 */
export function discardLease(
  lease: Pick<DriverLease<object>, 'pool' | 'backendId' | 'holder' | 'release'>,
  triesLeft: number,
): void {
  const reason = new ConnectionLostError(
    `A connection of pool "${lease.pool}" (pid ${lease.backendId ?? 'unknown'}) was given back inside a transaction and is closed. ` +
      'Look for a BEGIN outside of holdfast, on a client of this pool, without its COMMIT or ROLLBACK.',
    { retryable: true },
  );
  lease.release(reason);
  // Each try has closed one: those that come now are opened like that.
  if (triesLeft === 0) throw reason;
  getLogger().warn({ pool: lease.pool, transaction: lease.holder }, `holdfast: ${reason.message}`);
}
