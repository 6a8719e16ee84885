import type { Database, MigrationSession, WhenSent } from '../database/session.js';
import type { MigrationListener } from '../events.js';
import type { Journal } from '../history/journal.js';
import type { ParsedMigratorOptions } from '../options.js';
import type { Script } from './script.js';
import type { ScriptProfile } from './script-profile.js';
import type { SessionSettings } from './session-settings.js';
import type { RunSignals } from './signals.js';

/** A script that is about to run on a session. */
export interface ScriptRun {
  readonly options: ParsedMigratorOptions;
  readonly database: Database;
  readonly session: MigrationSession;
  readonly script: Script;
  readonly profile: ScriptProfile;
  readonly settings: SessionSettings;
  readonly signals: RunSignals;
  readonly emit: MigrationListener;
  /** Where what was done is kept while no transaction holds all of it; absent for a script that has no row, a callback. */
  readonly journal: Journal | undefined;
  /** Lets other deployers see that it is applied now, at once or with what is sent next. */
  announce(when?: WhenSent): Promise<void>;
  /** Throws `LockLostError` where the migration lock is no longer ours, at once or with what is sent next. */
  assertHeld(when?: WhenSent): Promise<void>;
  /** Writes the row of the history, with what is sent next in the transaction that makes it true. */
  finish(): Promise<void>;
  /** Whether {@link finish} took effect, asked over another session: for a COMMIT whose answer was lost. */
  isFinished(session: MigrationSession): Promise<boolean>;
}
