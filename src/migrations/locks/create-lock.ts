import { type Clock, systemClock } from '../../core/index.js';
import type { Database, MigrationSession } from '../database/session.js';
import { Journal } from '../history/journal.js';
import type { ParsedHistoryOptions } from '../options.js';
import { thisDeployer } from './deployer.js';
import type { MigrationLock } from './lock.js';
import { lockNameOf } from './lock-name.js';
import { LeaseLock } from './lease-lock.js';
import { LockTable } from './lock-table.js';
import { MysqlSessionLock } from './mysql-session-lock.js';
import { PgSessionLock } from './pg-session-lock.js';

export interface CreateLockOptions {
  /** Where a lease takes the connection of its heartbeat from, and the search for a pooler its second one. */
  readonly database: Database;
  /** The session of the run. */
  readonly session: MigrationSession;
  /** Whose lock it is. */
  readonly history: ParsedHistoryOptions;
  /** Default: `session`, and `lease` on a Galera node. */
  readonly kind: 'session' | 'lease' | undefined;
  /** How long a lease lives without a heartbeat, in milliseconds. */
  readonly leaseMs: number;
  /** Default: the system's clock. */
  readonly clock?: Clock;
}

/**
 * The lock that keeps two deployers from migrating one history at once. Takes nothing yet.
 *
 * @example
 * ```ts
 * const lock = await createLock({ database, session, history: options.history, kind: undefined, leaseMs: 30_000 });
 * await lock.acquire({ waitMs: 60_000, onWaiting: (holder) => console.log('waiting for', holder) });
 * ```
 */
export async function createLock(options: CreateLockOptions): Promise<MigrationLock> {
  const { session, history, clock = systemClock } = options;
  const { database, leaseMs } = options;
  const kind = options.kind ?? (session.server.isGalera ? 'lease' : 'session');
  const name = await lockNameOf(session, history);
  const label = `the migration lock of ${name.lease}`;
  const deployer = thisDeployer();
  const table = new LockTable(session, { schema: name.schema, name: name.lease });
  if (kind === 'lease') return new LeaseLock(session, { database, label, clock, deployer, table, leaseMs });
  if (session.dialect === 'mysql') {
    const journal = new Journal({ schema: name.schema, name: history.table }, session.dialect);
    return new MysqlSessionLock(session, { name: name.named, label, clock, deployer, table, journal });
  }
  return new PgSessionLock(session, { database, id: name.advisoryId, label, clock, deployer });
}
