import type { Session } from './session.js';

/** One piece of work on a transaction's connection, made by a driver and put in order by the transaction. */
export interface SessionWork<T> {
  /** The SQL, where the driver knows it: for messages only. */
  readonly text: string | undefined;
  /** The hand-written transactions of the client that it was asked through. */
  readonly by?: object;
  /** The first words of a statement before which the server commits by itself. */
  readonly commitsImplicitly?: string | undefined;
  /** Whether it runs as long as its reader lets it. Default: it ends by itself. */
  readonly streams?: boolean;
  /** Whether it may leave something behind that a rollback would take. Default: it may. */
  mayWrite?(): boolean;
  /**
   * Runs on the session. `prefix` holds control statements (BEGIN, SAVEPOINT …) that the server must have
   * executed successfully before this work; if one fails, this work must not be executed.
   * Resolves, or rejects, only when the session can take the next statement.
   */
  run(session: Session, prefix: readonly string[]): Promise<T>;
}

/** Runs it. What it throws at once is a rejection like any other. */
export function runWork<T>(work: SessionWork<T>, session: Session, prefix: readonly string[]): Promise<T> {
  session.lease?.used?.(work.text, work.streams ? 'stream' : 'query');
  try {
    return work.run(session, prefix);
  } catch (error) {
    return Promise.reject(error as Error);
  }
}

/** A transaction that was begun by hand inside of ours; it is a savepoint. */
export interface ManualSavepoint {
  /** Settles when it has begun, or could not. */
  readonly begun: Promise<void>;
  /** What the hand-written code calls commit. `from` is the scope that the running call belongs to. */
  release(from: AmbientScope): Promise<void>;
  /** What the hand-written code calls rollback. */
  rollback(from: AmbientScope): Promise<void>;
}

/** What a hand-written BEGIN asks for. */
export interface ManualModes {
  readonly isolationLevel: string | undefined;
  readonly readOnly: boolean;
}

/** A hand-written BEGIN. */
export interface ManualOpening extends ManualModes {
  /** Names it in messages. */
  readonly label: string;
  /** Work that carries the same `by` is its own. */
  readonly by: object;
}

/** A SAVEPOINT by hand. It need not end: whatever is around it ends it. */
export interface NamedSavepoint extends Pick<ManualSavepoint, 'begun' | 'release'> {
  /** ROLLBACK TO: undoes what came after it. It is still there then. */
  undo(from: AmbientScope): Promise<void>;
  /** Sets it once more: it takes its own place. */
  again(): Promise<void>;
  /** Nobody will end it any more. */
  forget(): void;
}

/** What a driver needs to know of the transaction that is in force where its pool is asked for a connection. */
export interface AmbientScope {
  /** The method that it belongs to, for messages. */
  readonly name: string;
  /** No transaction of the application: statements commit one by one, and COMMIT without a BEGIN does nothing. */
  readonly autocommit?: boolean;
  /** The physical transaction: scopes that share it share one connection. */
  readonly transaction: object;
  /** Whether it takes nothing any more: whatever it is asked for is rejected, and says why. */
  readonly closed: boolean;
  /** Queues `work` behind the statements before it. Rejects with TransactionClosedError once the scope is closed. */
  submit<T>(work: SessionWork<T>): Promise<T>;
  /** Takes the transaction's connection now, without a statement. */
  connect(): Promise<Session>;
  /** Begins a hand-written transaction inside this one. Throws when it asks for what a savepoint cannot have. */
  beginManual(opening: ManualOpening): ManualSavepoint;
  /** Sets a savepoint by hand, under a name of the transaction's own. Absent: savepoints by hand are the server's. */
  setSavepoint?(opening: Pick<ManualOpening, 'label' | 'by'>): NamedSavepoint;
}
