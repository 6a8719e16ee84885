import type { FailureEffect } from './errors.js';
import type { CallbackMoment } from './events.js';
import type { LockHolder } from './locks/lock.js';
import type { MigrationKind } from './migration.js';
import type { MigrationState } from './state.js';

/** How far `up` and `dryRun` go, and what ends them early. */
export interface UpOptions {
  /** The version to stop at, inclusive: `'12'`, `'1.4'`. Default: all. */
  readonly to?: string;
  /** How many migrations at most. Default: all. */
  readonly step?: number;
  /** Default: as the migrator's options say. */
  readonly outOfOrder?: boolean;
  /**
   * Ends the run at the boundary of a statement. A small file that PostgreSQL was sent ahead is taken back, or applied where
   * the server was faster.
   */
  readonly signal?: AbortSignal;
  /** Ends the run now: the running statement is cancelled on the server. */
  readonly cancelSignal?: AbortSignal;
}

/** A migration that was run, and how long it took. */
export interface AppliedScript {
  readonly script: string;
  readonly version: string | undefined;
  readonly executionTimeMs: number;
  /** Of a migration in code those that it sent by `sql`. */
  readonly statements: number;
}

/** What `up` has done; empty where nothing was pending. */
export interface UpResult {
  readonly applied: readonly AppliedScript[];
  /** The highest applied version afterwards. */
  readonly version: string | undefined;
}

/** How far `undo` goes back. */
export interface UndoOptions extends Pick<UpOptions, 'signal' | 'cancelSignal'> {
  /** Undoes every version above this one. Default: the last applied version alone. */
  readonly to?: string;
  readonly step?: number;
}

/** What `undo` has taken back, the last applied version first. */
export interface UndoResult {
  readonly undone: readonly AppliedScript[];
  readonly version: string | undefined;
}

/** A line of `status`. */
export interface StatusEntry {
  readonly kind: MigrationKind;
  readonly version: string | undefined;
  readonly description: string;
  readonly script: string;
  readonly state: MigrationState;
  readonly installedOn: Date | undefined;
  readonly installedBy: string | undefined;
  readonly executionTimeMs: number | undefined;
}

/** Every migration, and what the next `up` would do. */
export interface StatusResult {
  readonly database: string;
  readonly history: string;
  readonly version: string | undefined;
  readonly entries: readonly StatusEntry[];
  /** What the next `up` would run, in order. */
  readonly pending: readonly string[];
  /** Moments whose callbacks failed after what they belong to was applied: the next `up` runs them again. */
  readonly owed: readonly CallbackMoment[];
  /** Who is at what is RUNNING. */
  readonly runBy: LockHolder | undefined;
  readonly problems: readonly Problem[];
}

/** Where files and history contradict each other, and what to do: `up` refuses, unless the message says that it goes on. */
export interface Problem {
  readonly script: string;
  readonly state: MigrationState;
  readonly message: string;
}

/** Whether files and history agree: they do when there are no problems. */
export type ValidateResult = Pick<StatusResult, 'problems' | 'pending'>;

/** What `repair` has changed in the history. */
export interface RepairResult {
  /** What was changed, a sentence each. */
  readonly changes: readonly string[];
}

/** What the database is declared to hold. */
export interface BaselineOptions {
  /** Default: `1`. */
  readonly version?: string;
  /** Default: `<< holdfast baseline >>`. */
  readonly description?: string;
}

/** The version up to which migrations count as applied. */
export interface BaselineResult {
  readonly version: string;
}

/** The tools whose history `adopt` reads. */
export const ADOPTABLE = ['flyway', 'prisma', 'typeorm', 'umzug', 'dbmate'] as const;
/** One of {@link ADOPTABLE}. */
export type Adoptable = (typeof ADOPTABLE)[number];

/** Whose history is taken over. */
export interface AdoptOptions {
  readonly from: Adoptable;
  /** Their table, where it is not named as they name it. */
  readonly table?: string;
  /** umzug: the column that holds the names, where it is not `name`. */
  readonly column?: string;
}

/** What was taken over, and what to look at. */
export interface AdoptResult {
  /** Scripts that they have applied and that count as applied now. */
  readonly adopted: readonly string[];
  /** Rows of theirs without a file here, what failed there, files without a row: a sentence each. */
  readonly notes: readonly string[];
}

/** What a dry run found. On PostgreSQL everything ran, in a transaction that was rolled back. */
export interface DryRunResult {
  readonly scripts: readonly DryRunScript[];
}

/** What one migration would do. */
export interface DryRunScript {
  readonly script: string;
  /** PostgreSQL: rows inserted, updated and deleted, and the strongest lock, of each table. */
  readonly tables: readonly DryRunTable[];
  /** MySQL and MariaDB, and what cannot run in a transaction: what each statement would be. */
  readonly statements: readonly DryRunStatement[];
}

/** What a migration would do to a table. */
export interface DryRunTable {
  readonly table: string;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** `ACCESS EXCLUSIVE`, `SHARE ROW EXCLUSIVE` …; absent where none but the weakest was taken. */
  readonly strongestLock: string | undefined;
}

/** What a statement that was not run would do. */
export interface DryRunStatement {
  readonly line: number;
  /** The beginning of the statement. */
  readonly text: string;
  /** INSTANT, INPLACE, COPY for DDL of MySQL; `row changes` for DML; `not run` for what a transaction cannot hold. */
  readonly how: string;
  /** The server would not take it: its table is missing, or the server refused it on an empty copy. */
  readonly refused?: true;
}

/** Who held the lock, and whether it is free now. */
export interface UnlockResult {
  readonly holder: LockHolder | undefined;
  readonly released: boolean;
  /** Whether the holder's session was ended. Else it works on until it next asks whether the lock is still its own. */
  readonly cutOff: boolean;
}

/** One thing that a deploy depends on. */
export interface DoctorCheck {
  readonly name: string;
  readonly result: 'ok' | 'warning' | 'failed';
  /** What was found, and what to do where it is not ok. */
  readonly message: string;
}

/** Everything that `doctor` looked at, in the order in which it matters. */
export interface DoctorResult {
  readonly checks: readonly DoctorCheck[];
}

/**
 * Applies migrations to one database. Made by `createMigrator()`; every method opens a session of its own and closes it.
 */
export interface Migrator {
  up(options?: UpOptions): Promise<UpResult>;
  undo(options?: UndoOptions): Promise<UndoResult>;
  status(): Promise<StatusResult>;
  validate(): Promise<ValidateResult>;
  repair(): Promise<RepairResult>;
  baseline(options?: BaselineOptions): Promise<BaselineResult>;
  adopt(options: AdoptOptions): Promise<AdoptResult>;
  dryRun(options?: UpOptions): Promise<DryRunResult>;
  lockHolder(): Promise<LockHolder | undefined>;
  /** Takes the lock away from whoever holds it: on PostgreSQL and MySQL by ending that session. */
  unlock(): Promise<UnlockResult>;
  doctor(): Promise<DoctorResult>;
  /**
   * Gives up what is kept of the database between calls; a pool that was passed in stays open. No end for good: a method
   * that is called later opens it anew. Calling it again does nothing.
   */
  close(): Promise<void>;
}

export type { FailureEffect };
