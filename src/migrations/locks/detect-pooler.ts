import { InvalidOptionsError } from '../../core/index.js';
import type { Database, MigrationSession } from '../database/session.js';

/** What stands between this process and the server. */
export interface PoolerFinding {
  /** The server's session is not the one that the connection was told of when it was opened. */
  readonly found: boolean;
  /** Whether two of our connections were seen on one session: each transaction may be on another one. */
  readonly sharesSessions: boolean;
}

/**
 * Whether a pooler such as PgBouncer stands in between, and whether it lends a session for a transaction only. A pooler
 * tells its client a process id that is not the backend's; one in transaction mode gives a second connection the backend
 * that the first, which is idle, has only just used.
 */
export async function detectPooler(database: Database, session: MigrationSession): Promise<PoolerFinding> {
  const told = (session.native as { processID?: number | null }).processID;
  if (session.dialect !== 'postgres' || told === session.backendId)
    return { found: false, sharesSessions: false };
  const first = await backendOf(session);
  if (first !== session.backendId) return { found: true, sharesSessions: true };
  const other = await database.open();
  try {
    await other.query('BEGIN');
    // Asked in this order: a pooler with a single session would let the first one wait for the end of the second.
    const sharesSessions = (await backendOf(other)) === first || (await backendOf(session)) !== first;
    return { found: true, sharesSessions };
  } finally {
    await other.end();
  }
}

/** Throws `InvalidOptionsError` where a lock on a session would be none. */
export async function refuseSharedSessions(database: Database, session: MigrationSession): Promise<void> {
  const { sharesSessions } = await detectPooler(database, session);
  if (!sharesSessions) return;
  throw new InvalidOptionsError(
    `A pooler in transaction mode stands in front of ${database.description}: a lock on a session locks nothing there. Give the url of the server itself, or use a lease: lock: { kind: 'lease' }.`,
  );
}

async function backendOf(session: MigrationSession): Promise<number | undefined> {
  const [row] = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return row?.pid;
}
