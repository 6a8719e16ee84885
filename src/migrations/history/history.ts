import type { MigrationSession } from '../database/session.js';
import type { AppliedMigration, NewHistoryRow } from '../migration.js';

/** Which table keeps what was applied. */
export type HistoryFormat = 'holdfast' | 'flyway' | 'prisma';

/** The table that keeps what was applied. */
export interface History {
  readonly format: HistoryFormat;
  /** Quoted, with its schema: for messages and statements. */
  readonly table: string;
  exists(session: MigrationSession): Promise<boolean>;
  /** Creates the table. Only under the lock. */
  create(session: MigrationSession): Promise<void>;
  /** All rows, by rank. */
  list(session: MigrationSession): Promise<readonly AppliedMigration[]>;
  /** Writes a row; within the migration's own transaction where there is one. Resolves to its rank. */
  add(session: MigrationSession, row: NewHistoryRow): Promise<number>;
  /** Sets what `repair` and a resumed migration change of a row. */
  update(session: MigrationSession, installedRank: number, change: HistoryChange): Promise<void>;
  /** Takes a row out: a failed one, by `repair`. */
  remove(session: MigrationSession, installedRank: number): Promise<void>;
}

export type HistoryChange = Partial<
  Pick<NewHistoryRow, 'description' | 'type' | 'checksum' | 'sha256' | 'executionTimeMs' | 'success'>
>;
