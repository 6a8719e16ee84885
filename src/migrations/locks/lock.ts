import type { MigrationSession, WhenSent } from '../database/session.js';

/** Who holds the lock of a history table. */
export interface LockHolder {
  /** The server's id of the session, where the lock belongs to one. */
  readonly backendId?: number;
  /** `hostname`, `pid` of the process, and what it runs now, where it is known. */
  readonly host?: string;
  readonly pid?: number;
  /** The script that it applies now. */
  readonly migration?: string;
  /** The database user. */
  readonly user?: string;
  readonly since?: Date;
}

/** Keeps two deployers from migrating one history at once. */
export interface MigrationLock {
  /** `session`: pg_try_advisory_lock or GET_LOCK on the session of the run. `lease`: a row with a heartbeat. */
  readonly kind: 'session' | 'lease';
  /** Polls until it is ours. Throws `LockBusyError` after `waitMs`, and `MigrationInterruptedError` when `signal` aborts. */
  acquire(options: AcquireLockOptions): Promise<void>;
  /**
   * Throws `LockLostError` when it is no longer ours; called before what no transaction holds, and inside of one before the
   * history row. `with what is next`: where the session itself has the lock, what is sent next fails with that error, and
   * is not run.
   */
  assertHeld(when?: WhenSent): Promise<void>;
  /** Lets other deployers see what is applied now; where the session says it, maybe with its next statement. Never rejects. */
  announce(migration: string | undefined, when?: WhenSent): Promise<void>;
  /**
   * In place of {@link announce} where the session of the run writes a started row of the journal right behind it. Absent where
   * {@link holder} does not look there. Never rejects.
   */
  announceStarted?(when: WhenSent): Promise<void>;
  /** Never rejects. */
  release(): Promise<void>;
  /** Who has it now, this run included. `{}` where the database user may not see who. */
  holder(): Promise<LockHolder | undefined>;
  /**
   * Ends, over another session, the one that a lost connection of ours had, where it still has the lock. Resolves to whether
   * it has let go of it, so that it runs nothing any more; rejects where we may not. Absent where no session has it, but a lease.
   */
  endFormer?(session: MigrationSession, backendId: number): Promise<boolean>;
  /** Takes it away from whoever has it: ends that session, and frees the lease. */
  forceUnlock(): Promise<TakenLock | undefined>;
}

/** What came of taking a lock away. */
export interface TakenLock {
  /** Whom it was taken from. */
  readonly holder: LockHolder;
  /** Whether the holder's session was ended. Else it works on until it next asks whether the lease is still its own. */
  readonly isCutOff: boolean;
}

export interface AcquireLockOptions {
  /** Milliseconds; 0: one try. */
  readonly waitMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Called at the first failed try, and whenever the holder or its migration has changed. */
  onWaiting(holder: LockHolder | undefined): void;
}
