import type { Database, MigrationSession } from '../database/session.js';
import type { MigrationListener } from '../events.js';
import type { History } from '../history/history.js';
import type { Journal } from '../history/journal.js';
import type { ParsedMigratorOptions } from '../options.js';
import type { MigrationSources } from '../sources/sources.js';
import type { ValuesFor } from './script-values.js';
import type { UnprotectedTables } from './unprotected-tables.js';

/** What every command works with: one session, and what is kept in its database. */
export interface RunContext {
  readonly options: ParsedMigratorOptions;
  readonly database: Database;
  readonly session: MigrationSession;
  readonly history: History;
  /** The schema that is named for what migrations create, which need not exist; absent: the server finds one. */
  readonly home?: string | undefined;
  /** What the directories hold, where that is read already. */
  readonly sources?: Promise<MigrationSources> | undefined;
  readonly journal: Journal;
  readonly unprotected: UnprotectedTables;
  /** What placeholders stand for. */
  readonly valuesFor: ValuesFor;
  /** Never throws. */
  readonly emit: MigrationListener;
}
