import { postgresDialect } from '../../core/index.js';
import { maskStatement } from '../mask-statement.js';
import type { OpenSession } from './session-facts.js';
import {
  type Ask,
  type SeenSession,
  type SeenWait,
  type ServerView,
  type ServerWords,
  SHOWN,
} from './server-words.js';

/** What `pg_stat_activity` shows as the query of a session that this user may not see. */
const HIDDEN = '<insufficient privilege>';

interface Row {
  readonly id: number;
  readonly connections: number;
  readonly hidden: number;
  readonly max: number;
  readonly sessions: readonly RowSession[] | null;
  readonly waits: readonly RowWait[] | null;
}

interface RowSession {
  readonly pid: number;
  readonly usename: string | null;
  readonly application_name: string | null;
  readonly state: string | null;
  readonly state_ms: number | null;
  readonly xact_ms: number | null;
  readonly query: string | null;
}

interface RowWait {
  readonly pid: number;
  readonly blockers: readonly number[];
  readonly wait_ms: number | null;
  readonly kind: string | null;
  readonly relation: string | null;
}

/**
 * One question, answered as one JSON value. `pg_blocking_pids` stops the lock manager for a moment, and is called for those
 * alone that wait; so is `pg_locks` read. `waitstart` came with PostgreSQL 14. A session that this user may not see has no
 * `backend_type`; one with a user and a database is a client's, or a worker of its query.
 */
function question(ids: readonly number[]): string {
  return `WITH activity AS (
  SELECT pid, usename, application_name, state, state_change, wait_event_type, query_start, xact_start, left(query, 4000) AS query
    FROM pg_catalog.pg_stat_activity
   WHERE backend_type = 'client backend' OR (backend_type IS NULL AND usesysid IS NOT NULL AND datid IS NOT NULL)
), waiting AS (
  SELECT pid, query_start, pg_catalog.pg_blocking_pids(pid) AS blockers FROM (
    SELECT pid, query_start FROM activity WHERE wait_event_type = 'Lock' ORDER BY query_start LIMIT ${SHOWN}
  ) AS longest
), idle AS (
  SELECT pid FROM activity WHERE state LIKE 'idle in transaction%' ORDER BY state_change LIMIT ${SHOWN}
), shown AS (
  SELECT pid FROM idle UNION SELECT pid FROM waiting UNION SELECT unnest(blockers) FROM waiting
  UNION SELECT unnest('{${ids.join(',')}}'::int[])
)
SELECT json_build_object(
  'id', pg_catalog.pg_backend_pid(),
  'connections', (SELECT count(*) FROM activity),
  'hidden', (SELECT count(*) FROM activity WHERE query = '${HIDDEN}'),
  'max', current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true)::int, 0),
  'sessions', (SELECT json_agg(json_build_object(
      'pid', pid, 'usename', usename, 'application_name', application_name, 'state', state, 'query', query,
      'state_ms', round(extract(epoch FROM clock_timestamp() - state_change) * 1000),
      'xact_ms', round(extract(epoch FROM clock_timestamp() - xact_start) * 1000)))
    FROM activity WHERE pid IN (SELECT pid FROM shown)),
  'waits', (SELECT json_agg(json_build_object(
      'pid', pid, 'blockers', blockers,
      'wait_ms', round(extract(epoch FROM clock_timestamp() - coalesce(
        (SELECT max((to_jsonb(held) ->> 'waitstart')::timestamptz) FROM pg_catalog.pg_locks AS held WHERE held.pid = waiting.pid AND NOT granted),
        query_start)) * 1000),
      'kind', (SELECT max(locktype) FROM pg_catalog.pg_locks AS held WHERE held.pid = waiting.pid AND NOT granted),
      'relation', (SELECT max(relation::regclass::text) FROM pg_catalog.pg_locks AS held
        WHERE held.pid = waiting.pid AND (NOT granted OR locktype = 'tuple')
          AND held.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))))
    FROM waiting)
)::text AS seen`;
}

/** https://www.postgresql.org/docs/current/monitoring-stats.html */
export const postgresWords: ServerWords = {
  async look(ask: Ask, session: OpenSession, of: readonly number[]): Promise<ServerView> {
    const [answer] = await ask(question(of));
    const row = JSON.parse(String(answer?.['seen'])) as Row;
    return {
      askedId: row.id,
      connections: row.connections,
      maxConnections: row.max,
      sessions: withPrepared((row.sessions ?? []).map(readSession), row.waits ?? []),
      waits: (row.waits ?? []).flatMap(readWait).slice(0, SHOWN),
      notes: row.hidden > 0 ? [grantNote(row.hidden, session.user)] : [],
    };
  },
};

function readSession(row: RowSession): SeenSession {
  const isHidden = row.query === HIDDEN;
  return {
    backendId: row.pid,
    application: row.application_name || row.usename || undefined,
    state: row.state ?? undefined,
    stateMs: row.state_ms ?? undefined,
    transactionMs: row.xact_ms ?? undefined,
    statement: isHidden || !row.query ? undefined : maskStatement(row.query, postgresDialect),
    isIdleInTransaction: row.state?.startsWith('idle in transaction') ?? false,
  };
}

/** A transaction that was prepared for a two-phase commit holds its locks without a session: PostgreSQL calls it 0. */
function withPrepared(sessions: readonly SeenSession[], waits: readonly RowWait[]): readonly SeenSession[] {
  if (!waits.some(({ blockers }) => blockers.includes(0))) return sessions;
  return [
    ...sessions,
    {
      backendId: 0,
      application: 'a prepared transaction (see pg_prepared_xacts)',
      state: 'prepared',
      stateMs: undefined,
      transactionMs: undefined,
      statement: undefined,
      isIdleInTransaction: false,
    },
  ];
}

/** A parallel query's blocker is told of once for each of its workers. */
function readWait({ pid, blockers, wait_ms, kind, relation }: RowWait): SeenWait[] {
  return [...new Set(blockers)].map((blocker) => ({
    blocked: pid,
    blocker,
    waitMs: wait_ms ?? undefined,
    lock: describeLock(kind, relation),
  }));
}

function describeLock(kind: string | null, relation: string | null): string | undefined {
  if (kind === null) return undefined;
  if (kind === 'transactionid' || kind === 'tuple') return relation ? `a row of ${relation}` : 'a row';
  if (kind === 'relation') return relation ? `the table ${relation}` : 'a table';
  if (kind === 'advisory') return 'an advisory lock';
  return kind;
}

function grantNote(hidden: number, user: string): string {
  const sessions = hidden === 1 ? '1 session of another user is' : `${hidden} sessions of other users are`;
  return `${sessions} not shown in full: what they do, and whether they are inside a transaction, may not be seen. GRANT pg_read_all_stats TO ${user}; shows them.`;
}
