import { codeOf, errorChain, mysqlDialect } from '../../core/index.js';
import { maskStatement } from '../mask-statement.js';
import { maybeNumber, numberOf, type OpenSession, textOf } from './session-facts.js';
import {
  type Ask,
  type SeenSession,
  type SeenWait,
  type ServerView,
  type ServerWords,
  SHOWN,
} from './server-words.js';

type Row = Awaited<ReturnType<Ask>>[number];

/** Accounts that may not see the transactions of InnoDB: they see their own sessions, and no lock. */
const REFUSED = new Set(['ER_SPECIFIC_ACCESS_DENIED_ERROR', 'ER_TABLEACCESS_DENIED_ERROR', '1227', '1142']);

/**
 * `information_schema.innodb_trx` is a copy that the server renews only when nobody has read it for a tenth of a second. All
 * that is asked within that time is answered from one copy, so that transactions and waits fit together.
 */
const sessions = (time: string, transactions: string): string => `SELECT connection_id() AS asked,
  @@max_connections AS most, p.id AS id, p.user AS user, p.host AS host, p.command AS command, p.state AS state,
  ${time} AS state_ms, LEFT(p.info, 4000) AS info, ${transactions}`;

const WITH_TRANSACTIONS = `t.trx_id IS NOT NULL AS in_transaction,
  TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) * 1000 AS transaction_ms, t.trx_state AS transaction_state
  FROM information_schema.processlist p
  LEFT JOIN information_schema.innodb_trx t ON t.trx_mysql_thread_id = p.id`;

const WITHOUT = `NULL AS in_transaction, NULL AS transaction_ms, NULL AS transaction_state
  FROM information_schema.processlist p`;

/** https://mariadb.com/kb/en/information-schema-innodb_lock_waits-table/ */
const WAITS_OF_MARIADB = `SELECT r.trx_mysql_thread_id AS blocked, b.trx_mysql_thread_id AS blocker,
  TIMESTAMPDIFF(SECOND, r.trx_wait_started, NOW()) * 1000 AS wait_ms, l.lock_table AS locked, l.lock_type AS kind
  FROM information_schema.innodb_lock_waits w
  JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_trx_id
  JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id
  LEFT JOIN information_schema.innodb_locks l ON l.lock_id = w.requested_lock_id
  ORDER BY r.trx_wait_started LIMIT ${SHOWN}`;

/** As `sys.innodb_lock_waits` has it. https://dev.mysql.com/doc/refman/8.4/en/performance-schema-data-lock-waits-table.html */
const WAITS_OF_MYSQL = `SELECT DISTINCT r.trx_mysql_thread_id AS blocked, b.trx_mysql_thread_id AS blocker,
  TIMESTAMPDIFF(SECOND, r.trx_wait_started, NOW()) * 1000 AS wait_ms,
  CONCAT(l.object_schema, '.', l.object_name) AS locked, l.lock_type AS kind
  FROM performance_schema.data_lock_waits w
  JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_engine_transaction_id
  JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_engine_transaction_id
  LEFT JOIN performance_schema.data_locks l ON l.engine_lock_id = w.requesting_engine_lock_id
  ORDER BY wait_ms DESC LIMIT ${SHOWN}`;

/** Accounts without PROCESS, by the session that was refused: they are not asked for a refusal at every look. */
const refused = new WeakSet<OpenSession>();

export const mysqlWords: ServerWords = {
  async look(ask: Ask, session: OpenSession, of: readonly number[]): Promise<ServerView> {
    const time = session.isMariadb ? 'ROUND(p.time_ms)' : 'p.time * 1000';
    const rows = await readSessions(ask, session, time);
    const seesAll = !refused.has(session);
    const waits = seesAll && rows.some((row) => textOf(row['transaction_state']) === 'LOCK WAIT');
    const notes: string[] = [];
    let seenWaits: readonly SeenWait[] = [];
    if (waits) {
      try {
        seenWaits = (await ask(session.isMariadb ? WAITS_OF_MARIADB : WAITS_OF_MYSQL)).map(readWait);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        notes.push(
          `Some wait for locks, and who holds them may not be seen. GRANT SELECT ON performance_schema.* TO ${session.user}; shows it.`,
        );
      }
    }
    const connections = seesAll ? rows.length : await countConnections(ask);
    if (!seesAll) notes.push(grantNote(session.user));
    const metadata = rows.filter((row) => textOf(row['state']) === 'Waiting for table metadata lock').length;
    if (metadata > 0) notes.push(metadataNote(metadata));
    return {
      askedId: numberOf(rows[0]?.['asked']),
      connections,
      maxConnections: maybeNumber(rows[0]?.['most']),
      sessions: choose(rows.map(readSession), seenWaits, of),
      waits: seenWaits,
      notes,
    };
  },
};

async function readSessions(ask: Ask, session: OpenSession, time: string): Promise<readonly Row[]> {
  if (!refused.has(session)) {
    try {
      return await ask(sessions(time, WITH_TRANSACTIONS));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refused.add(session);
    }
  }
  return ask(sessions(time, WITHOUT));
}

/** Everybody may know how many there are. */
async function countConnections(ask: Ask): Promise<number | undefined> {
  const [row] = await ask("SHOW GLOBAL STATUS LIKE 'Threads_connected'");
  return maybeNumber(row?.['Value']);
}

function readSession(row: Row): SeenSession {
  const command = textOf(row['command']);
  const inTransaction = numberOf(row['in_transaction'] ?? 0) === 1;
  const info = textOf(row['info']);
  const isIdle = command === 'Sleep';
  return {
    backendId: numberOf(row['id']),
    application: [textOf(row['user']), textOf(row['host'])].filter(Boolean).join('@') || undefined,
    state:
      isIdle && inTransaction
        ? 'idle in transaction'
        : textOf(row['state']) && !isIdle
          ? `${command}: ${textOf(row['state'])}`
          : command,
    stateMs: maybeNumber(row['state_ms']),
    transactionMs: maybeNumber(row['transaction_ms']),
    statement: info === undefined ? undefined : maskStatement(info, mysqlDialect),
    isIdleInTransaction: isIdle && inTransaction,
  };
}

function readWait(row: Row): SeenWait {
  const locked = textOf(row['locked'])?.replaceAll('`', '');
  const isRow = textOf(row['kind']) === 'RECORD';
  return {
    blocked: numberOf(row['blocked']),
    blocker: numberOf(row['blocker']),
    waitMs: maybeNumber(row['wait_ms']),
    lock: locked === undefined ? undefined : isRow ? `a row of ${locked}` : `the table ${locked}`,
  };
}

function choose(
  all: readonly SeenSession[],
  waits: readonly SeenWait[],
  of: readonly number[],
): readonly SeenSession[] {
  const wanted = new Set([...of, ...waits.flatMap(({ blocked, blocker }) => [blocked, blocker])]);
  return all.filter(({ backendId, isIdleInTransaction }) => isIdleInTransaction || wanted.has(backendId));
}

function isRefusal(error: unknown): boolean {
  return errorChain(error).some((link) => REFUSED.has(codeOf(link) ?? ''));
}

function grantNote(user: string): string {
  return `Only the sessions of this account are shown, and neither open transactions nor locks. GRANT PROCESS ON *.* TO ${user}; shows them.`;
}

function metadataNote(count: number): string {
  const who = count === 1 ? '1 session waits' : `${count} sessions wait`;
  return `${who} for a metadata lock: a DDL statement, behind a transaction that has used its table. Look for the longest transaction.`;
}
