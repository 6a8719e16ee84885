import type { LeaseInfo, ManagedPool } from '../connection/index.js';
import { TrackedLease } from './detection/tracked-lease.js';
import type { LeaseReport } from './report.js';

/**
 * What a report says of one lease that is out: its place, its last statement without literals, what it is doing. Place
 * and statement are known where somebody observed the pool when it was taken. Without the monitor's verdict.
 *
 * @example
 * ```ts
 * for (const lease of managed.leases()) console.log(describeLease(managed, lease).site);
 * ```
 */
export function describeLease(pool: ManagedPool, lease: LeaseInfo): LeaseReport {
  const tracked = new TrackedLease(lease, pool);
  tracked.look(0);
  return tracked.report();
}
