import { explainDatabaseError } from '../database/explain-error.js';
import type { MigrationSession } from '../database/session.js';

/** A session of the server, told apart from a later one that got its id, and from one of the same id on another node. */
export interface SessionMark {
  readonly backendId: number;
  /** PostgreSQL: the second that it began at. MySQL: host and port of its client. */
  readonly mark: string;
}

interface Words {
  /** What the server told this connection of its session's id when it was opened; a pooler tells an id of its own. */
  readonly told: (native: object) => unknown;
  readonly id: string;
  /** The mark of a session, by a row of {@link Words.sessions}. */
  readonly mark: string;
  readonly sessions: string;
  readonly end: (backendId: number) => string;
}

const WORDS: Readonly<Record<MigrationSession['dialect'], Words>> = {
  postgres: {
    told: (native) => (native as { processID?: unknown }).processID,
    id: 'pid',
    mark: 'extract(epoch FROM backend_start)::text',
    sessions: 'pg_catalog.pg_stat_activity',
    end: (backendId) => `SELECT pg_catalog.pg_terminate_backend(${backendId})`,
  },
  mysql: {
    told: (native) => (native as { threadId?: unknown }).threadId,
    id: 'id',
    mark: 'host',
    sessions: 'information_schema.processlist',
    end: (backendId) => `KILL CONNECTION ${backendId}`,
  },
};

/**
 * The session behind a connection; `undefined` where it cannot be told, or belongs to a pooler that lends it to others
 * too: to end that one would hit a stranger.
 */
export async function markOf(session: MigrationSession): Promise<SessionMark | undefined> {
  const { backendId } = session;
  if (WORDS[session.dialect].told(session.native) !== backendId) return undefined;
  const mark = await readMark(session, backendId).catch(() => undefined);
  return mark === undefined ? undefined : { backendId, mark };
}

/** Ends the session. Whether it is gone: `false` where this user may not see or end it, or this node does not have it. */
export async function endSession(session: MigrationSession, target: SessionMark): Promise<boolean> {
  try {
    const mark = await readMark(session, target.backendId);
    if (mark !== target.mark) return false;
    await session.query(WORDS[session.dialect].end(target.backendId));
    return true;
  } catch (error) {
    if (explainDatabaseError(error).kind !== 'rights') throw error;
    return false;
  }
}

async function readMark(session: MigrationSession, backendId: number): Promise<string | undefined> {
  const { id, mark, sessions } = WORDS[session.dialect];
  const [row] = await session.query<{ mark: string | null }>(
    `SELECT ${mark} AS mark FROM ${sessions} WHERE ${id} = ${session.placeholder(1)}`,
    [backendId],
  );
  return row?.mark ?? undefined;
}
