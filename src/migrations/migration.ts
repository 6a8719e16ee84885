import type { Version } from './version.js';

/**
 * What a migration is, by its file: `V` versioned, `R` repeatable (runs again when its content changes), `B` baseline
 * (stands for every version up to its own on an empty database), `U` undo (takes back the version of the same name).
 */
export type MigrationKind = 'versioned' | 'repeatable' | 'baseline' | 'undo';

/** Another tool that runs migrations in code; umzug stands for Sequelize, too. */
export type ForeignTool = 'typeorm' | 'umzug';

/** What a migration consists of. */
export type MigrationBody =
  | {
      readonly kind: 'sql';
      /** The file, absolute. It may be larger than memory: it is read as a stream each time. */
      readonly path: string;
      /** Which part of a file that holds both (`-- migrate:up`, `-- migrate:down`); absent: all of it. See `readSection()`. */
      readonly section?: 'up' | 'down';
    }
  | {
      readonly kind: 'code';
      /** The `.ts` or `.js` module, absolute; loaded when it is run, not before. */
      readonly path: string;
      /** Which of the module's functions: `up`, or `down` for its undo. */
      readonly direction: 'up' | 'down';
      /** The tool that a `down` needs, by its text: what another tool ran is known here, and can be run by that alone. */
      readonly writtenFor?: ForeignTool;
    };

/** A migration that was found in the directories. */
export interface ResolvedMigration {
  readonly kind: MigrationKind;
  /** Absent for a repeatable one. */
  readonly version?: Version;
  /** What the name says after the version: `V2__add_orders.sql` -> `add orders`. */
  readonly description: string;
  /**
   * The path below its directory, with `/`, unique: what people and the history call it. The undo that shares the file
   * of its version is called `<script>#down`.
   */
  readonly script: string;
  /**
   * Flyway's CRC32 of the whole file's lines, as a signed 32-bit integer; of a repeatable SQL file that is about to be run,
   * with the values of its placeholders.
   */
  readonly checksum: number;
  /** The CRC32 of the file as it is, where `checksum` is another one. A row that has it is up to date, too, as in Flyway. */
  readonly checksumOfFile?: number;
  /** SHA-256 of the file's bytes in hex, as Prisma keeps it. */
  readonly sha256: string;
  /**
   * The same with LF and with CRLF at the end of each line: what Prisma would have kept of another checkout. Only of a
   * file that is read in one piece: of SQL up to 256 KiB.
   */
  readonly sha256OfLineEnds?: readonly string[];
  readonly body: MigrationBody;
}

/**
 * How a row came into the history. Flyway's words, so that a table of Flyway's can be read and written as it is.
 * `JDBC` stands for a migration in code.
 */
export type HistoryType =
  'SQL' | 'JDBC' | 'BASELINE' | 'SQL_BASELINE' | 'UNDO_SQL' | 'UNDO_JDBC' | 'DELETE' | 'SCHEMA';

/** A row of the history. */
export interface AppliedMigration {
  /** The order in which rows were written, from 1. */
  readonly installedRank: number;
  readonly version?: Version;
  readonly description: string;
  readonly type: HistoryType;
  readonly script: string;
  /** As in {@link ResolvedMigration.checksum}; absent where the history has none. */
  readonly checksum?: number;
  /** As in {@link ResolvedMigration.sha256}; only where the history has it. */
  readonly sha256?: string;
  readonly installedBy: string;
  readonly installedOn: Date;
  readonly executionTimeMs: number;
  /** False: it failed half-way on a database that cannot roll back what it had done. */
  readonly success: boolean;
}

/** What the runner writes into the history; the time of what is applied now is the database's. */
export type NewHistoryRow = Omit<AppliedMigration, 'installedRank' | 'installedOn' | 'executionTimeMs'> & {
  /** Where it is known. Default: the database looks for the highest one, a tenth of the time of a small migration. */
  readonly installedRank?: number | undefined;
  /** Milliseconds, or what the server measures of the transaction (PostgreSQL) or the packet (MySQL) that the row is in. */
  readonly executionTimeMs: number | 'since it began';
  /** When another tool applied it. Default: now. */
  readonly installedOn?: Date;
};
