import type { MigrationSession, WhenSent } from '../database/session.js';
import { MysqlSettings } from './mysql-settings.js';
import { PostgresSettings } from './postgres-settings.js';

/** What a script asks of its session. */
export interface ScriptSettings {
  /** Milliseconds; absent: the server's. */
  readonly lockTimeoutMs: number | undefined;
  /** Milliseconds; absent: the server's. */
  readonly statementTimeoutMs: number | undefined;
  /** Whether it holds WITH RECURSIVE, for which MySQL and MariaDB stop counting at 1,000. */
  readonly isRecursive: boolean;
  /** Whether it holds SET or the like. */
  readonly changesSession: boolean;
}

/** Keeps what one migration sets on the session from the next one. */
export interface SessionSettings {
  /** Before the first statement; inside the transaction where there is one. Resolves to what cannot be honoured. */
  apply(session: MigrationSession, settings: ScriptSettings): Promise<readonly string[]>;
  /** After the last one, before the row of the history is written. */
  restore(session: MigrationSession, when?: WhenSent): Promise<void>;
}

export function settingsFor(session: MigrationSession, schema: string | undefined): SessionSettings {
  return session.dialect === 'mysql' ? new MysqlSettings() : new PostgresSettings(schema, session.searchPath);
}
