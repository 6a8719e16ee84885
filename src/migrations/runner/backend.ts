import { delay, systemClock } from '../../core/index.js';
import type { MigrationSession } from '../database/session.js';
import type { RunSignals } from './signals.js';

/** A session of the server that an earlier connection of ours had. */
export interface FormerBackend {
  readonly backendId: number;
  /** It was there then: ids are used again. */
  readonly at: Date;
}

const POLL_MS = 100;

const BUSY: Readonly<Record<MigrationSession['dialect'], string>> = {
  postgres: `SELECT 1 FROM pg_catalog.pg_stat_activity
    WHERE pid = $1 AND backend_start <= to_timestamp($2::float8 / 1000) AND pid <> pg_backend_pid()
      AND datname = current_database() AND (state IS DISTINCT FROM 'idle')`,
  // A client that is gone leaves no sleeping session behind, except where a network lost it without a word.
  mysql: `SELECT 1 FROM information_schema.processlist
    WHERE id = ? AND id <> CONNECTION_ID() AND command <> 'Sleep'`,
};

/** Whether that session still runs a statement or holds a transaction open. */
async function isBusy(session: MigrationSession, { backendId, at }: FormerBackend): Promise<boolean> {
  // MySQL uses no id again before its restart, and says of no session when it began.
  const values = session.dialect === 'mysql' ? [backendId] : [backendId, at.getTime()];
  const rows = await session.query(BUSY[session.dialect], values);
  return rows.length > 0;
}

export interface WaitOptions {
  readonly signals: RunSignals;
  /** Milliseconds. Default: as long as it takes. */
  readonly limitMs?: number;
  /** Called once, when it has to be waited for. */
  readonly onWaiting?: () => void;
}

/**
 * Waits until a session of a client that is gone has ended what it ran: PostgreSQL and MySQL both go on with a statement
 * when its client was killed. Resolves to false when the limit was reached before.
 */
export async function whenIdle(
  session: MigrationSession,
  backend: FormerBackend,
  { signals, limitMs = Infinity, onWaiting }: WaitOptions,
): Promise<boolean> {
  const begun = systemClock.now();
  for (let told = false; await isBusy(session, backend);) {
    if (systemClock.now() - begun > limitMs) return false;
    signals.check();
    if (!told) onWaiting?.();
    told = true;
    await delay(systemClock, POLL_MS);
  }
  return true;
}
