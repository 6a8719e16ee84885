import type { LockHolder } from './locks/lock.js';
import type { ResolvedMigration } from './migration.js';
import type { ServerWarning } from './database/session.js';

/** What a run tells while it goes on; the CLI's `--json` prints one a line. Never holds a secret or a parameter value. */
export type MigrationEvent =
  | { readonly kind: 'connected'; readonly database: string; readonly server: string }
  | { readonly kind: 'waiting for lock'; readonly holder: LockHolder | undefined }
  | { readonly kind: 'lock acquired'; readonly waitedMs: number }
  /** What this run is going to do, in order: `scripts` are to be run, or to be undone. */
  | {
      readonly kind: 'planned';
      readonly to: 'run' | 'undo';
      readonly scripts: readonly string[];
    }
  | { readonly kind: 'started'; readonly script: string; readonly number: number; readonly of: number }
  /**
   * `bytes` of the file were sent so far, of `totalBytes`. At most a few times a second; and all of them 0 when a callback in
   * code begins.
   */
  | {
      readonly kind: 'progress';
      readonly script: string;
      readonly statements: number;
      readonly bytes: number;
      readonly totalBytes: number;
    }
  | {
      readonly kind: 'warning';
      readonly script: string;
      readonly line: number;
      readonly warning: ServerWarning;
    }
  /** Something to know that stops nothing: an undeclared placeholder, a resumed statement. */
  | { readonly kind: 'note'; readonly script?: string; readonly message: string }
  | {
      readonly kind: 'applied';
      readonly script: string;
      readonly executionTimeMs: number;
      readonly statements: number;
    }
  | { readonly kind: 'failed'; readonly script: string; readonly message: string };

/** Is told of everything that happens in a run, in order. */
export type MigrationListener = (event: MigrationEvent) => void;

/** The moments a callback file can be named after, as Flyway has them: `afterMigrate.sql`, `beforeEachMigrate__x.sql`. */
export const CALLBACK_MOMENTS = [
  'beforeMigrate',
  'beforeEachMigrate',
  'afterEachMigrate',
  'afterEachMigrateError',
  'afterMigrate',
  'afterMigrateError',
  'afterMigrateApplied',
  'beforeUndo',
  'beforeEachUndo',
  'afterEachUndo',
  'afterUndo',
  'afterUndoError',
  'beforeRepair',
  'afterRepair',
  'beforeValidate',
  'afterValidate',
  'beforeBaseline',
  'afterBaseline',
] as const;

/** One of {@link CALLBACK_MOMENTS}. */
export type CallbackMoment = (typeof CALLBACK_MOMENTS)[number];

/** A callback file that was found: it has no version, no row in the history, and runs each time. */
export interface ResolvedCallback {
  readonly moment: CallbackMoment;
  /** What the name says after `__`; callbacks of one moment run in its order. */
  readonly description: string;
  readonly script: string;
  readonly body: ResolvedMigration['body'];
}
