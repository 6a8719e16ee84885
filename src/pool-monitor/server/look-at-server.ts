import { findManagedPool, type ManageablePool, preparePool } from '../../connection/index.js';
import type { LeaseReport } from '../report.js';
import type { ServerReport } from '../server-report.js';
import { keepConnection } from './keep-connection.js';
import { ServerWatch } from './server-watch.js';

/** Looks at a server again and again, over one connection. */
export interface ServerLook {
  /**
   * Never rejects: what could not be seen is a note of the report. `leases`: those of the pool that are out, so that sessions
   * are told by source line. Default: none.
   */
  read(leases?: readonly LeaseReport[]): Promise<ServerReport>;
  close(): Promise<void>;
}

/**
 * Looks at the server of a pool over one connection of its own, which is kept: for a program that has no monitor, and a
 * pool of its own that nothing was borrowed from.
 *
 * @example
 * ```ts
 * const look = await lookAtServer(new pg.Pool({ connectionString, max: 1 }), { name: 'orders', instance: 'ops' });
 * const { connections, maxConnections, blocking } = await look.read();
 * await look.close();
 * ```
 */
export async function lookAtServer(
  pool: ManageablePool,
  { name, instance }: { readonly name: string; readonly instance: string },
): Promise<ServerLook> {
  const managed = findManagedPool(pool) ?? preparePool(pool, { name });
  const connection = keepConnection(managed, { instance });
  await connection.start();
  const watch = new ServerWatch({ pool: managed, connection, route: 'beside' });
  return { read: (leases = []) => watch.read(leases), close: () => connection.stop() };
}
