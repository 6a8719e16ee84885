import { LeaseReclaimedError, type ManagedSource } from '../connection/index.js';
import { getLogger } from '../core/index.js';

/** Says who took a lease, where that is known. */
export type SiteOf = (leaseId: number) => string | undefined;

/**
 * Takes back the connections of a data source that code holds outside every transaction, `waitedMs` milliseconds after
 * the shutdown began, and names who holds them: a pool does not end before each has come back.
 */
export function takeBackForgotten(source: ManagedSource, waitedMs: number, siteOf: SiteOf): void {
  for (const pool of [source.primary, ...source.replicas]) {
    for (const lease of pool.leases()) {
      if (lease.kind !== 'client') continue;
      const site = siteOf(lease.id);
      const ageMs = Math.round(pool.clock.now() - lease.acquiredAt);
      const { backendId, request } = lease;
      const who = site ?? (request ? `something in ${request.label}` : 'somebody');
      const what = `${who} still held a connection of pool "${pool.name}", taken ${ageMs} ms ago, ${waitedMs} ms after shutdown began`;
      getLogger().warn(
        { pool: pool.name, site, request: request?.label, backendId, ageMs, limitMs: waitedMs },
        `holdfast: ${what}; it is closed`,
      );
      void pool.reclaim(
        lease,
        new LeaseReclaimedError(
          `${what}; it was closed. Release it in a finally block, and let go of what is held for good in onModuleDestroy().`,
        ),
      );
    }
  }
}
