import type { Dialect } from '../core/index.js';
import type { ManualModes } from './ambient-scope.js';
import { TestTransactionError } from './errors.js';
import type { CommitAnswer, Session, SessionStatus } from './session.js';
import type { Turn, Turns } from './turns.js';

/** A session of a shared transaction that looks like one with a transaction of its own. It lasts for one {@link Turn}. */
export interface SavepointSession extends Session {
  begin(modes: ManualModes): Promise<void>;
  /** Ends the turn. What is still open is undone first. */
  leave(): Promise<void>;
}

/** The connection of a shared transaction. */
export interface SharedConnection<S extends Session = Session> {
  /** The connection itself, below all savepoints. */
  readonly session: S;
  readonly dialect: Dialect;
  readonly turns: Turns;
  /** The level of the shared transaction. */
  readonly isolationLevel: string;
  /** Whether another level may be asked for, without effect. */
  readonly allowsIsolationLevel: boolean;
  /** Whose statement is on its way. */
  running: Session | undefined;
  nextSavepoint(): string;
  /** Hears why the shared transaction can no longer be rolled back as a whole, or used. */
  failed(error: Error): void;
}

/** What a session does where it is no part of anything. */
export interface Underlying extends Pick<Session, 'status' | 'control' | 'cancel'> {
  /** What opens a savepoint. Default: the dialect's SAVEPOINT. */
  savepoint?(name: string, modes: ManualModes): string;
  /** What checks whatever COMMIT would check, and keeps the work since the savepoint. Default: the dialect's RELEASE. */
  release?(name: string): string;
  /** Whether a statement has ended the transaction. */
  hasEnded(): boolean;
}

/**
 * What makes a session a part of a shared transaction: BEGIN is a savepoint, COMMIT checks what a COMMIT checks and
 * releases it, ROLLBACK undoes it.
 */
export class SavepointPart {
  readonly #connection: SharedConnection;
  readonly #turn: Turn;
  readonly #session: Session & { detach(): void };
  readonly #underlying: Underlying;
  #savepoint: string | undefined;
  #readOnly = false;

  constructor(
    connection: SharedConnection,
    turn: Turn,
    { session, ...underlying }: Underlying & { readonly session: Session & { detach(): void } },
  ) {
    this.#connection = connection;
    this.#turn = turn;
    this.#session = session;
    this.#underlying = underlying;
    if (connection.session.lost) session.abandon(connection.session.lost);
  }

  /** Whether BEGIN asked for that. */
  get readOnly(): boolean {
    return this.#readOnly;
  }

  status(): SessionStatus {
    if (!this.#savepoint) return 'idle';
    // What runs on top of it says nothing of its own state: it was sound, or nothing could be on top.
    return this.#connection.turns.top === this.#turn ? this.#underlying.status() : 'in transaction';
  }

  async begin(modes: ManualModes): Promise<void> {
    if (modes.isolationLevel) this.hasLevel(modes.isolationLevel);
    const { dialect } = this.#connection;
    const savepoint = this.#connection.nextSavepoint();
    await this.control(this.#underlying.savepoint?.(savepoint, modes) ?? dialect.savepoint(savepoint));
    this.#savepoint = savepoint;
    this.#readOnly = modes.readOnly;
  }

  async commit(): Promise<CommitAnswer> {
    if (this.status() === 'failed') {
      await this.rollback();
      return { kind: 'rolled back', error: undefined };
    }
    const savepoint = this.#savepoint!;
    try {
      await this.control(
        this.#underlying.release?.(savepoint) ?? this.#connection.dialect.releaseSavepoint(savepoint),
      );
    } catch (error) {
      await this.rollback();
      return { kind: 'rolled back', error: error as Error };
    }
    this.#savepoint = undefined;
    return { kind: 'committed' };
  }

  /** Undoes what was done since BEGIN. Never rejects: where it cannot, the shared transaction is over. */
  async rollback(): Promise<void> {
    const savepoint = this.#savepoint;
    if (!savepoint || this.#session.lost) return;
    try {
      await this.control(this.#connection.dialect.undoSavepoint(savepoint));
    } catch (error) {
      if (this.#session.lost) this.#connection.failed(error as Error);
      else this.#giveUp();
    }
    this.#savepoint = undefined;
  }

  async leave(): Promise<void> {
    await this.rollback();
    // What this one can no longer trust, nobody can.
    if (this.#session.lost) this.#connection.session.abandon(this.#session.lost);
    this.#session.detach();
    this.#connection.turns.end(this.#turn);
  }

  async cancel(): Promise<void> {
    // It names the connection: it would hit the statement of whoever has its turn.
    if (this.#connection.running === this.#session) await this.#underlying.cancel();
  }

  /** Runs a control statement in turn, as it is. */
  control(text: string): Promise<void> {
    return this.inTurn(() => this.#underlying.control(text));
  }

  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const { turns } = this.#connection;
    return turns.run(this.#turn, async () => {
      this.#connection.running = this.#session;
      let failure: unknown;
      try {
        return await work();
      } catch (error) {
        failure = error;
        throw error;
      } finally {
        this.#connection.running = undefined;
        if (this.#savepoint && !this.#session.lost && this.#underlying.hasEnded()) this.#giveUp(failure);
      }
    });
  }

  /** Whether it is the shared transaction's own level. Throws where it is not and may not be. */
  hasLevel(wanted: string): boolean {
    const { isolationLevel, allowsIsolationLevel } = this.#connection;
    const level = wanted.toUpperCase().replace(/\s+/g, ' ');
    if (level === isolationLevel) return true;
    if (allowsIsolationLevel) return false;
    throw new TestTransactionError(
      `"${this.#turn.name}" asks for ${level}, and the transaction that rollbackPerTest() opened runs at ${isolationLevel}: a part of it cannot have a level of its own. ` +
        `Open it with rollbackPerTest({ isolationLevel: '${level}' }), or let the level have no effect with rollbackPerTest({ allow: ['ISOLATION_LEVEL'] }).`,
      { cause: this.#turn.askedAt },
    );
  }

  /** The shared transaction has ended. What came now would be kept, so nothing is taken any more. */
  #giveUp(failure?: unknown): void {
    // The test is over, and rolled back.
    if (this.#connection.turns.closed) return;
    const { name, askedAt } = this.#turn;
    const ended = new TestTransactionError(
      `A statement of "${name}" ended the transaction that rollbackPerTest() opened: what the test had done before is committed, or gone. ` +
        (failure
          ? 'The server did so with the error in the cause.'
          : 'Remove COMMIT and ROLLBACK from it, and what commits implicitly, as DDL of MySQL does.'),
      { cause: failure ?? askedAt },
    );
    this.#connection.failed(ended);
    this.#session.abandon(ended);
  }
}
