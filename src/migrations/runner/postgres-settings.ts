import type { MigrationSession, WhenSent } from '../database/session.js';
import { searchPath } from './search-path.js';
import type { ScriptSettings, SessionSettings } from './session-settings.js';
import { runOwn } from './transaction.js';

/**
 * RESET ALL brings back what the connection began with, role included, and is itself part of the transaction: the
 * `set_config('search_path', '', false)` at the head of a pg_dump ends with its own migration. (DISCARD ALL would also
 * release advisory locks, the migration lock among them.)
 */
export class PostgresSettings implements SessionSettings {
  readonly #after: readonly string[];

  /** `path` is what the connection was given in place of the server's search path. */
  constructor(schema: string | undefined, path?: string) {
    const isNamed = schema !== undefined || path !== undefined;
    this.#after = [
      'RESET SESSION AUTHORIZATION',
      'RESET ALL',
      ...(isNamed ? [searchPath({ schema, path })] : []),
    ];
  }

  async apply(session: MigrationSession, settings: ScriptSettings): Promise<readonly string[]> {
    const { lockTimeoutMs, statementTimeoutMs } = settings;
    // Behind a pooler in transaction mode, what is set without LOCAL reaches the next client.
    const set = session.inTransaction ? 'SET LOCAL' : 'SET';
    const statements = [
      ...(lockTimeoutMs === undefined ? [] : [`${set} lock_timeout = ${Math.ceil(lockTimeoutMs)}`]),
      ...(statementTimeoutMs === undefined
        ? []
        : [`${set} statement_timeout = ${Math.ceil(statementTimeoutMs)}`]),
    ];
    if (statements.length > 0) await runOwn(session, statements);
    return [];
  }

  async restore(session: MigrationSession, when: WhenSent = 'now'): Promise<void> {
    if (when === 'with what is next') for (const text of this.#after) session.defer({ text });
    else await runOwn(session, this.#after);
  }
}
