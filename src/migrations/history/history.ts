import type { MigrationSession, WhenSent } from '../database/session.js';
import type { AppliedMigration, NewHistoryRow } from '../migration.js';

/** Which table keeps what was applied. */
export type HistoryFormat = 'holdfast' | 'flyway' | 'prisma';

/** The table that keeps what was applied. */
export interface History {
  readonly format: HistoryFormat;
  /** The schema (PostgreSQL) or database (MySQL) that it is in. */
  readonly schema: string;
  /** Its name, as it is, without quotes. */
  readonly name: string;
  /** Quoted, with its schema: for messages and statements. */
  readonly table: string;
  /** Whether it has a word for a migration whose file was removed on purpose. */
  readonly canMarkDeleted: boolean;
  /** The database user, who is written into it unless the options name another. */
  readonly user: string;
  exists(session: MigrationSession): Promise<boolean>;
  /** Creates the table. Only under the lock. */
  create(session: MigrationSession): Promise<void>;
  /** All rows, by rank. */
  list(session: MigrationSession): Promise<readonly AppliedMigration[]>;
  /**
   * Writes a row; within the migration's own transaction where there is one. Throws `InvalidMigrationsError` for what
   * the format has no word for.
   */
  add(session: MigrationSession, row: NewHistoryRow, when?: WhenSent): Promise<void>;
  /** Sets what `repair` and a resumed migration change of a row that {@link list} returned. */
  update(session: MigrationSession, installedRank: number, change: HistoryChange): Promise<void>;
  /** Takes out a row that {@link list} returned: a failed one, by `repair`. */
  remove(session: MigrationSession, installedRank: number): Promise<void>;
}

export type HistoryChange = Partial<
  Pick<AppliedMigration, 'description' | 'type' | 'checksum' | 'sha256' | 'executionTimeMs' | 'success'>
>;
