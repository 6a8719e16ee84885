import type { Dialect } from '../../core/index.js';
import { literal, numberOf, type SessionWords, textOf } from './session-facts.js';

/** A host that vanished is noticed by the server after about a minute and a half, and its session, with its locks, ends. */
const KEEPALIVE = { tcp_keepalives_idle: '60', tcp_keepalives_interval: '10', tcp_keepalives_count: '3' };
/** A process that is stopped, or hangs, asks nothing any more. */
export const SILENCE_LIMIT_MS = 120_000;

/** https://www.postgresql.org/docs/current/runtime-config-client.html */
const postgres: SessionWords = {
  look: `SELECT pg_catalog.pg_backend_pid() AS id,
       (SELECT extract(epoch FROM backend_start)::text FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()) AS mark,
       pg_catalog.current_setting('server_version') AS version,
       pg_catalog.current_setting('server_version_num') AS number,
       pg_catalog.quote_ident(current_user) AS who`,
  read: (row) => ({
    backendId: numberOf(row['id']),
    mark: textOf(row['mark']) ?? '',
    product: `PostgreSQL ${textOf(row['version'])?.split(' ')[0] ?? ''}`.trim(),
    version: numberOf(row['number']),
    isMariadb: false,
    user: textOf(row['who']) ?? '',
  }),
  settings({ version }, limitMs) {
    const settings = Object.entries({
      ...KEEPALIVE,
      statement_timeout: String(limitMs),
      idle_in_transaction_session_timeout: String(SILENCE_LIMIT_MS),
      ...(version >= 140_000 && { idle_session_timeout: String(SILENCE_LIMIT_MS) }),
    });
    const calls = settings.map(
      ([name, value]) => `pg_catalog.set_config(${literal(name)}, ${literal(value)}, false)`,
    );
    return `SELECT ${calls.join(', ')}`;
  },
  find: ({ backendId, mark }) =>
    `SELECT pid FROM pg_catalog.pg_stat_activity WHERE pid = ${backendId} AND extract(epoch FROM backend_start)::text = ${literal(mark)}`,
  end: ({ backendId }) => `SELECT pg_catalog.pg_terminate_backend(${backendId})`,
};

/** https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html, https://mariadb.com/kb/en/server-system-variables/ */
const mysql: SessionWords = {
  look: `SELECT connection_id() AS id, version() AS version, @@version_comment AS comment, current_user() AS who,
       (SELECT host FROM information_schema.processlist WHERE id = connection_id()) AS mark`,
  read(row) {
    const version = textOf(row['version']) ?? '';
    const [number, major, minor, patch] = /(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
    const isMariadb = /mariadb/i.test(version) || /mariadb/i.test(textOf(row['comment']) ?? '');
    return {
      backendId: numberOf(row['id']),
      mark: textOf(row['mark']) ?? '',
      product: `${isMariadb ? 'MariaDB' : 'MySQL'} ${number ?? version}`,
      version: Number(major ?? 0) * 10_000 + Number(minor ?? 0) * 100 + Number(patch ?? 0),
      isMariadb,
      user: quoteAccount(textOf(row['who']) ?? ''),
    };
  },
  settings({ isMariadb }, limitMs) {
    const limit = isMariadb ? `max_statement_time = ${limitMs / 1000}` : `max_execution_time = ${limitMs}`;
    // InnoDB tells times by the server's own clock.
    return `SET SESSION ${limit}, SESSION wait_timeout = ${SILENCE_LIMIT_MS / 1000}, SESSION time_zone = 'SYSTEM', SESSION sql_mode = ''`;
  },
  find: ({ backendId, mark }) =>
    `SELECT id FROM information_schema.processlist WHERE id = ${backendId} AND host = ${literal(mark)}`,
  end: ({ backendId }) => `KILL ${backendId}`,
};

/** The words of a pool's server. */
export function sessionWords({ name }: Dialect): SessionWords {
  return name === 'postgres' ? postgres : mysql;
}

/** `app@10.%` as `'app'@'10.%'`. */
function quoteAccount(account: string): string {
  const at = account.lastIndexOf('@');
  return at === -1 ? literal(account) : `${literal(account.slice(0, at))}@${literal(account.slice(at + 1))}`;
}
