import type { Dialect } from '../core/index.js';
import {
  type AmbientScope,
  ConnectionLostError,
  type ManualOpening,
  type ManagedSource,
  type ManualSavepoint,
  type NamedSavepoint,
  type Session,
  type SessionStatus,
  type SessionWork,
} from '../connection/index.js';
import {
  IsolationMismatchError,
  ReadOnlyMismatchError,
  SavepointOrderError,
  TransactionClosedError,
  UnexpectedRollbackError,
} from './errors.js';
import { type Completion, Hooks } from './hooks.js';
import { refusalOfImplicitCommit } from './implicit-commit.js';
import { whyBroken, whyFailed, whyMarked } from './rollback-reason.js';
import { Lane, type StatementQueue } from './statement-queue.js';

/** Why a scope can only be rolled back. */
export interface RollbackReason {
  /** The method that asked for it. */
  readonly by: string;
  readonly cause: unknown;
  /** Asked for with `setRollbackOnly()` in the scope's own method: its caller is told nothing, for it knows. */
  readonly requested: boolean;
  /** What happened, where it is no error that somebody swallowed. */
  readonly why?: string;
}

/** A hand-written transaction, or SAVEPOINT, that is open: a savepoint in its scope's own lane. */
interface OpenManual {
  readonly by: object;
  readonly label: string;
  readonly savepoint: string;
  /** A SAVEPOINT by hand need not end. */
  readonly named: boolean;
  /** Its end was asked for, and has its turn still to come. */
  ending: boolean;
  /** The first work inside it that is not its own, and that its rollback would take. */
  stranger?: string | undefined;
}

/** What a scope needs of the physical transaction that it is part of. */
export interface ScopeOwner {
  readonly source: ManagedSource;
  readonly queue: StatementQueue;
  readonly dialect: Dialect;
  readonly isolationLevel: string | undefined;
  readonly readOnly: boolean;
  readonly allowsImplicitCommit: boolean;
  /** The connection, where one is borrowed. */
  readonly connection: Session | undefined;
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
  readonly lane: Lane;
  readonly hooks: Hooks;
  #inside: Set<{ readonly name: string }> | undefined;
  /** Outermost first, as the server has them. */
  readonly #manual: OpenManual[] = [];
  /** The first statement that failed, for the message when nobody told the caller. */
  failure: unknown;
  /** What its method threw, where that is an error for which it commits. */
  thrown: { readonly error: unknown } | undefined;
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
    this.lane = new Lane(opening.name);
    this.hooks = new Hooks(transaction.source);
    transaction.source.record?.({ step: this.parent ? 'savepoint' : 'begin', name: this.name });
    this.#entered = opening.parent === undefined;
  }

  isInside(other: Scope): boolean {
    for (let scope = this.parent as Scope | undefined; scope; scope = scope.parent)
      if (scope === other) return true;
    return false;
  }

  /** Methods that joined, or opened a savepoint here, and have not returned yet; oldest first. */
  get inside(): Set<{ readonly name: string }> {
    return (this.#inside ??= new Set());
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
    return this.#inTurn(() => {
      const manual = this.#manual.length > 0;
      const { commitsImplicitly: statement } = work;
      const refusal = statement && refusalOfImplicitCommit(statement, { scope: this, manual });
      if (refusal) return Promise.reject(refusal);
      const running = this.transaction.run(work, this);
      if (!manual) return running;
      return running.then((result) => (this.noteKept(work), result));
    });
  }

  connect(): Promise<Session> {
    return this.#inTurn(() => this.transaction.session());
  }

  beginManual({ by, label, isolationLevel, readOnly }: ManualOpening): ManualSavepoint {
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
    const savepoint = this.transaction.nextSavepoint();
    const open: OpenManual = { by, label, savepoint, named: false, ending: false };
    return {
      begun: this.#set(savepoint, () => void this.#manual.push(open)),
      release: (from) => this.#endManual(open, from, 'release'),
      rollback: (from) => this.#endManual(open, from, 'rollback'),
    };
  }

  setSavepoint({ by, label }: Pick<ManualOpening, 'label' | 'by'>): NamedSavepoint {
    // The server's names are ours alone: what is by another, or in a text that nobody reads, finds none.
    const savepoint = this.transaction.nextSavepoint();
    const open: OpenManual = { by, label, savepoint, named: true, ending: false };
    let forgotten = false;
    const set = (): Promise<void> =>
      this.#set(savepoint, () => {
        this.#drop(open);
        open.stranger = undefined;
        if (!forgotten) this.#manual.push(open);
      });
    return {
      begun: set(),
      again: set,
      release: (from) => this.#endManual(open, from, 'release'),
      undo: (from) => this.#endManual(open, from, 'undo'),
      forget: () => {
        forgotten = true;
        this.#drop(open);
      },
    };
  }

  /** Remembers, in the hand-written transactions that are open, work whose asker was told that it is done. `called`: in messages. */
  noteKept(work: Partial<Pick<SessionWork<unknown>, 'by' | 'text' | 'mayWrite'>>, called?: string): void {
    for (const open of this.#manual) {
      if (open.stranger || open.by === work.by || work.mayWrite?.() === false) continue;
      open.stranger = called ?? work.text?.trimStart().split(/\s/, 1)[0] ?? 'a driver object';
    }
  }

  /** Closes the scope: from now on it takes no statement. */
  close(): void {
    this.#closed = true;
  }

  /** Tells a data source that wants to hear of each step how this one ended. */
  noteEnd(completion: Completion): void {
    const { source } = this.transaction;
    if (!source.record) return;
    const kept = completion === 'committed';
    const nested = kept ? 'release savepoint' : 'rollback to savepoint';
    source.record({ step: this.parent ? nested : kept ? 'commit' : 'rollback', name: this.name });
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
    const [unfinished] = this.#inside ?? [];
    if (unfinished) {
      return this.#unexpected(
        `"${unfinished.name}", which runs inside it, had not returned yet. Await every transactional call`,
      );
    }
    if (this.parent?.closed) {
      return this.#unexpected(
        `"${this.parent.name}" around it had ended before it returned. Await every transactional call`,
      );
    }
    const threw = this.thrown !== undefined;
    if (this.#rollbackOnly && !this.#rollbackOnly.requested)
      return this.#unexpected(whyMarked(this.#rollbackOnly, threw), this.#rollbackOnly.cause);
    const { broken } = this.transaction;
    if (broken) return this.#unexpected(whyBroken(this.transaction, threw), broken);
    if (this.#manual.some(({ ending, named }) => !ending && !named)) {
      return this.#unexpected(
        'a hand-written transaction inside it was neither committed nor rolled back. End it in a finally block',
      );
    }
    if (this.entered && this.transaction.status === 'failed')
      return this.#unexpected(whyFailed(threw), this.failure);
    return undefined;
  }

  /** How its method ended, for the beginning of a message. */
  get ending(): string {
    return `"${this.name}" ${this.thrown ? 'threw an error for which it commits' : 'returned'}`;
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

  #unexpected(reason: string, cause: unknown = this.thrown?.error): UnexpectedRollbackError {
    return new UnexpectedRollbackError(`${this.ending}, but its work was rolled back: ${reason}.`, {
      cause,
      retryable: cause instanceof ConnectionLostError && cause.retryable,
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

  #set(savepoint: string, sent: () => void): Promise<void> {
    return this.#control(this.transaction.dialect.savepoint(savepoint), { sent });
  }

  async #endManual(
    open: OpenManual,
    from: AmbientScope,
    how: 'release' | 'rollback' | 'undo',
  ): Promise<void> {
    if (from !== this && (from as Scope).isInside(this)) {
      // It would wait for the scope that it is asked in, which waits for it.
      throw new SavepointOrderError(
        `${open.label} of "${this.name}" cannot end inside "${(from as Scope).name}", which began after it. End it where it began.`,
      );
    }
    const { dialect } = this.transaction;
    const texts = {
      release: dialect.releaseSavepoint(open.savepoint),
      rollback: dialect.undoSavepoint(open.savepoint),
      undo: `ROLLBACK TO SAVEPOINT ${open.savepoint}`,
    };
    open.ending = true;
    const ended = this.#control(texts[how], {
      skip: () => {
        const index = this.#manual.indexOf(open);
        const inside = this.#manual.slice(index + 1);
        // A SAVEPOINT of its own ends with it.
        if (index !== -1 && inside.every(({ by, named }) => named && by === open.by)) return false;
        // One that ended out of order has marked the scope: it is rolled back already, as far as it can be.
        if (how === 'rollback' && index === -1) return true;
        throw this.#outOfOrder(open);
      },
      sent: () => {
        this.#manual.length = this.#manual.indexOf(open) + (how === 'undo' ? 1 : 0);
        if (how !== 'release' && open.stranger) this.#lost(open.label, open.stranger);
        open.stranger = undefined;
      },
    });
    await ended.finally(() => (open.ending = false));
  }

  #outOfOrder(open: OpenManual): SavepointOrderError {
    this.#drop(open);
    const error = new SavepointOrderError(
      `${open.label} in "${this.name}" ended while one that began after it was still open. Hand-written transactions on one connection ` +
        'must end in reverse order: await one before the next, or use dataSource.transaction(callback) or propagation NESTED, which take turns.',
    );
    this.setRollbackOnly({ by: open.label, cause: error, requested: false });
    return error;
  }

  #drop(open: OpenManual): void {
    const index = this.#manual.indexOf(open);
    if (index !== -1) this.#manual.splice(index, 1);
  }

  #lost(label: string, stranger: string): void {
    this.setRollbackOnly({
      by: label,
      cause: undefined,
      requested: false,
      why:
        `${label} inside it was rolled back, and took work with it that was asked for elsewhere meanwhile (${stranger}). Inside a hand-written ` +
        'transaction use its own client or QueryRunner only, and await it before other work; or use propagation NESTED, which takes turns',
    });
  }

  /** Runs a control statement in turn. `skip` may leave it out or refuse it when its turn comes. */
  #control(text: string, { skip, sent }: { skip?: () => boolean; sent: () => void }): Promise<void> {
    return this.#inTurn(() =>
      this.transaction.run(
        {
          text,
          async run(session, prefix) {
            for (const earlier of prefix) await session.control(earlier);
            if (skip?.()) return;
            await session.control(text);
            sent();
          },
        },
        this,
      ),
    );
  }
}
