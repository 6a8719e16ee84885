import type { Database, InFlight, MigrationSession, WhenSent } from '../database/session.js';
import type { MigrationListener } from '../events.js';
import type { Journal } from '../history/journal.js';
import type { ParsedMigratorOptions } from '../options.js';
import type { Script } from './script.js';
import type { ScriptProfile } from './script-profile.js';
import type { SessionSettings } from './session-settings.js';
import type { RunSignals } from './signals.js';
import type { UnprotectedTables } from './unprotected-tables.js';

/** What the row says it took: what it took until now, or, while that is not known, what the server measures. */
export type FinishTime = 'until now' | 'by the server';

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
  readonly unprotected: UnprotectedTables;
  /** What will be sent right behind it, where that is known: its first row of the journal may travel with this one's COMMIT. */
  readonly following?: () => ScriptRun;
  /** Lets other deployers see that it is applied now, at once or with what is sent next. */
  announce(when?: WhenSent): Promise<void>;
  /** In place of {@link announce} where the row of the journal that is written right behind it says so, too. */
  announceStarted(when: WhenSent): Promise<void>;
  /** Throws `LockLostError` where the migration lock is no longer ours, at once or with what is sent next. */
  assertHeld(when?: WhenSent): Promise<void>;
  /** Writes the row of the history, with what is sent next in the transaction that makes it true. */
  finish(time?: FinishTime): Promise<void>;
  /** Whether {@link finish} sends nothing by itself, so that it can travel behind the last statements of the script. */
  readonly canFinishBehind: boolean;
  /** Told when all of it, COMMIT included, is with the server and not answered: what is next may be sent behind it. */
  readonly onSent?: (packet: InFlight) => void;
  /**
   * Of one that was sent ahead: resolves when what it was sent behind is applied, and rejects when that failed. Until then
   * nothing is told of it, and nothing done about its failure.
   */
  readonly turn?: Promise<void>;
  /**
   * Whether {@link finish} took effect, asked over another session: for a COMMIT whose answer was lost. `undefined` for a
   * script that has no row.
   */
  isFinished(session: MigrationSession): Promise<boolean | undefined>;
  /**
   * Has the session of the run end, over another one, once its connection was lost, where it still has the lock. Resolves to
   * whether it runs nothing any more.
   */
  endFormer(session: MigrationSession): Promise<boolean>;
}
