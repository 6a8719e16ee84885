import type { Dialect } from '../core/index.js';
import type {
  AmbientScope,
  ManualModes,
  ManualSavepoint,
  Session,
  SessionStatus,
  SessionWork,
} from '../connection/index.js';
import {
  IsolationMismatchError,
  ReadOnlyMismatchError,
  SavepointOrderError,
  TransactionClosedError,
  UnexpectedRollbackError,
} from './errors.js';
import { Hooks } from './hooks.js';
import { Lane, type StatementQueue } from './statement-queue.js';

/** Why a scope can only be rolled back. */
export interface RollbackReason {
  /** The method that asked for it. */
  readonly by: string;
  readonly cause: unknown;
  /** Asked for with `setRollbackOnly()` in the scope's own method: its caller is told nothing, for it knows. */
  readonly requested: boolean;
}

/** What a scope needs of the physical transaction that it is part of. */
export interface ScopeOwner {
  readonly queue: StatementQueue;
  readonly dialect: Dialect;
  readonly isolationLevel: string | undefined;
  readonly readOnly: boolean;
  /** The server's last word, where a connection is borrowed. */
  readonly status: SessionStatus | undefined;
  /** Why no further statement can run, once there is a reason. */
  readonly broken: Error | undefined;
  /** Where the transaction was opened. */
  readonly openedAt: Error;
  /** Waits for the statements that are on their way. */
  drained(): Promise<void>;
  session(): Promise<Session>;
  run<T>(work: SessionWork<T>, scope: Scope): Promise<T>;
  nextSavepoint(): string;
  openSavepoint(name: string): void;
}

/**
 * The part of a transaction that one method opened: the whole of it, or a savepoint. Once its method has
 * returned it is closed and refuses every further statement.
 */
export class Scope<T extends ScopeOwner = ScopeOwner> implements AmbientScope {
  readonly transaction: T;
  readonly parent: Scope<T> | undefined;
  /** The method that opened it. */
  readonly name: string;
  /** The savepoint's name; the outermost scope has none. */
  readonly savepoint: string | undefined;
  readonly lane = new Lane();
  readonly hooks = new Hooks();
  /** Methods that joined, or opened a savepoint here, and have not returned yet; oldest first. */
  readonly inside = new Set<{ readonly name: string }>();
  readonly #manual: ManualSavepoint[] = [];
  /** The first statement that failed, for the message when nobody told the caller. */
  failure: unknown;
  /** Whether it was ever asked for a statement or for its connection. */
  asked = false;
  #closed = false;
  /** Settles when the scope's statements may run, or never will; undefined before its first statement. */
  #entry: Promise<void> | undefined;
  #entered: boolean;
  #rollbackOnly: RollbackReason | undefined;

  constructor(
    transaction: T,
    opening: { name: string; parent: Scope<T> | undefined; savepoint: string | undefined },
  ) {
    this.transaction = transaction;
    this.name = opening.name;
    this.parent = opening.parent;
    this.savepoint = opening.savepoint;
    this.#entered = opening.parent === undefined;
  }

  /** 1 for the outermost scope, one more for each savepoint. */
  get depth(): number {
    return this.parent ? this.parent.depth + 1 : 1;
  }

  get closed(): boolean {
    return this.#closed || (this.parent?.closed ?? false);
  }

  get rollbackOnly(): RollbackReason | undefined {
    return this.#rollbackOnly;
  }

  setRollbackOnly(reason: RollbackReason): void {
    this.#rollbackOnly ??= reason;
  }

  submit<R>(work: SessionWork<R>): Promise<R> {
    return this.#inTurn(() => this.transaction.run(work, this));
  }

  connect(): Promise<Session> {
    return this.#inTurn(() => this.transaction.session());
  }

  async beginManual(label: string, { isolationLevel, readOnly }: ManualModes): Promise<ManualSavepoint> {
    if (readOnly && !this.transaction.readOnly) {
      throw new ReadOnlyMismatchError(
        `${label} asks for READ ONLY inside "${this.name}", whose transaction may write. A savepoint cannot be read-only: drop it there, ` +
          'or read through propagation REQUIRES_NEW with readOnly: true.',
      );
    }
    if (isolationLevel && isolationLevel !== this.transaction.isolationLevel) {
      throw new IsolationMismatchError(
        `${label} asks for ${isolationLevel} inside "${this.name}", which runs at ${this.transaction.isolationLevel ?? "the server's default level"}. ` +
          'A savepoint cannot have a level of its own: drop it there, or begin the outer transaction with it.',
      );
    }
    const name = this.transaction.nextSavepoint();
    const { dialect } = this.transaction;
    await this.#control(dialect.savepoint(name));
    const open: ManualSavepoint = {
      release: () => this.#endManual(open, label, dialect.releaseSavepoint(name)),
      rollback: () => this.#endManual(open, label, dialect.undoSavepoint(name)),
    };
    this.#manual.push(open);
    return open;
  }

  /** Closes the scope: from now on it takes no statement. */
  close(): void {
    this.#closed = true;
  }

  /** Rejects the statements that wait in this scope. */
  refuseWaiting(): void {
    this.transaction.queue.refuse(this.lane, () => this.closedError());
  }

  /** Whether the scope's savepoint was opened: not before its first statement, and in turn with its siblings. */
  get entered(): boolean {
    return this.#entered;
  }

  /** Waits until statements that were asked for have had their turn to enter. */
  async settled(): Promise<void> {
    await this.#entry;
    if (this.#entered) await this.transaction.drained();
  }

  /** Why this scope's work cannot be kept although its method returned normally. */
  obstacle(): UnexpectedRollbackError | undefined {
    const [unfinished] = this.inside;
    if (unfinished) {
      return this.#unexpected(
        `"${unfinished.name}", which runs inside it, had not returned yet. Await every transactional call`,
        undefined,
      );
    }
    if (this.parent?.closed) {
      return this.#unexpected(
        `"${this.parent.name}" around it had ended before it returned. Await every transactional call`,
        undefined,
      );
    }
    if (this.#manual.length > 0) {
      return this.#unexpected(
        'a hand-written transaction inside it was neither committed nor rolled back. End it in a finally block',
        undefined,
      );
    }
    if (this.#rollbackOnly && !this.#rollbackOnly.requested) {
      return this.#unexpected(
        `"${this.#rollbackOnly.by}" had marked it for rollback, and its error was swallowed. ` +
          'Let the error through, or run that method with propagation NESTED',
        this.#rollbackOnly.cause,
      );
    }
    const { broken } = this.transaction;
    if (broken)
      return this.#unexpected('its connection or its BEGIN had failed, and the error was swallowed', broken);
    if (this.entered && this.transaction.status === 'failed') {
      return this.#unexpected(
        'a statement in it had failed, and the error was swallowed. Let the error through, or run what may fail with propagation NESTED',
        this.failure,
      );
    }
    return undefined;
  }

  closedError(): TransactionClosedError {
    const { transaction } = this;
    return new TransactionClosedError(
      transaction.broken
        ? `The transaction of "${this.name}" cannot go on, so the statement was not sent: see the cause. Let the first error end the method.`
        : `The transaction of "${this.name}" has ended, so the statement was not sent. Await every call inside the method, ` +
            'or start work that outlives it with runOutsideTransaction(). The cause is where the transaction was opened.',
      { cause: transaction.broken ?? transaction.openedAt },
    );
  }

  #unexpected(reason: string, cause: unknown): UnexpectedRollbackError {
    return new UnexpectedRollbackError(`"${this.name}" returned, but its work was rolled back: ${reason}.`, {
      cause,
    });
  }

  #inTurn<R>(work: () => Promise<R>): Promise<R> {
    this.asked = true;
    if (this.closed || this.transaction.broken) return Promise.reject(this.closedError());
    if (!this.#entered) this.#entry ??= this.#enter();
    return this.transaction.queue.submit(this.lane, work);
  }

  /** Asks the scope around for the connection; this scope's statements wait until it is its turn. */
  #enter(): Promise<void> {
    return this.parent!.#inTurn(async () => {
      if (this.closed && this.lane.jobs.length === 0) return;
      this.#entered = true;
      this.transaction.openSavepoint(this.savepoint!);
      this.transaction.queue.enter(this.lane);
    }).catch(() => this.refuseWaiting());
  }

  async #endManual(open: ManualSavepoint, label: string, statement: string): Promise<void> {
    if (this.#manual.at(-1) !== open) {
      const error = new SavepointOrderError(
        `${label} in "${this.name}" ended while one that began after it was still open. Hand-written transactions on one connection ` +
          'must end in reverse order: await one before the next, or use dataSource.transaction(callback) or propagation NESTED, which take turns.',
      );
      this.#manual.splice(this.#manual.indexOf(open), 1);
      this.setRollbackOnly({ by: label, cause: error, requested: false });
      throw error;
    }
    this.#manual.pop();
    await this.#control(statement);
  }

  #control(text: string): Promise<void> {
    return this.submit({
      text,
      async run(session, prefix) {
        for (const earlier of prefix) await session.control(earlier);
        await session.control(text);
      },
    });
  }
}
