import type { BegunScript } from '../history/journal.js';
import type { AppliedMigration, ResolvedMigration } from '../migration.js';
import type { Problem } from '../migrator.js';
import type { MigrationState } from '../state.js';
import type { Version } from '../version.js';

/** What planning looks at. */
export interface PlanInput<Options> {
  readonly resolved: readonly ResolvedMigration[];
  /** In any order: the rank decides. */
  readonly applied: readonly AppliedMigration[];
  readonly options?: Options;
}

export interface PlanOptions {
  /** The version to stop at, inclusive. Repeatable migrations then wait until no version is left. Default: all. */
  readonly to?: string | undefined;
  /** How many migrations at most. Default: all. */
  readonly step?: number | undefined;
  /** Whether a version below an applied one may run. Default: false. */
  readonly outOfOrder?: boolean | undefined;
  /** Whether `repair` can note that a file is gone. Default: true. */
  readonly canMarkDeleted?: boolean | undefined;
}

/**
 * A file, a row, or both where they belong together now. Every file and every row is in exactly one entry: a row that
 * was undone, superseded or deleted stands alone, and so does the file that is pending again.
 */
export interface PlanEntry {
  readonly migration?: ResolvedMigration;
  readonly row?: AppliedMigration;
  readonly state: MigrationState;
  /** How far the journal knows it to have come, where no row says that it failed: added to a plan by `withBegun()`. */
  readonly begun?: BegunScript;
}

/** Something to know that stops nothing. */
export interface PlanNote {
  readonly script?: string;
  readonly message: string;
}

/** What `up` would do, and why it would not. */
export interface Plan {
  /** As `status` shows them: rows by rank, files that were not applied where their version belongs, repeatable ones last. */
  readonly entries: readonly PlanEntry[];
  /** What to run, in order: by version, then repeatable ones by description. What failed is not in it. */
  readonly pending: readonly ResolvedMigration[];
  /** Runs that failed half-way, by rank. The problem of each is in `problems`; a runner that can resume one leaves it out. */
  readonly failed: readonly PlanEntry[];
  /** Why `up` is refused: entries that are CHANGED, MISSING, FAILED or OUT_OF_ORDER_PENDING. */
  readonly problems: readonly Problem[];
  readonly notes: readonly PlanNote[];
  /** The highest version that is applied, or that the baseline stands for. */
  readonly version: Version | undefined;
}

/** Pure. Throws `InvalidVersionError` for a `to` that neither a file nor a row has. */
export type MakePlan = (input: PlanInput<PlanOptions>) => Plan;

export interface PlanUndoOptions {
  /** Undoes every version above this one; `0`: all. Default: the last applied version alone. */
  readonly to?: string | undefined;
  /** How many versions, from the last applied one backwards. Default: 1, or all above `to`. */
  readonly step?: number | undefined;
}

export interface UndoStep {
  /** The run that is taken back. */
  readonly row: AppliedMigration;
  /** What takes it back. */
  readonly undo: ResolvedMigration;
}

export interface UndoPlan {
  /** In the order to run: the last applied version first. */
  readonly steps: readonly UndoStep[];
  /** A version without an undo script, a baseline, a failed run. */
  readonly problems: readonly Problem[];
}

/** Pure. Throws `InvalidVersionError` for a `to` that neither a file nor a row has. */
export type MakeUndoPlan = (input: PlanInput<PlanUndoOptions>) => UndoPlan;
