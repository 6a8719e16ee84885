import { cancelUntil, processGlobal, settledWithin, systemClock } from '../core/index.js';
import type { IsolationLevel } from '../core/index.js';
import {
  type CommitAnswer,
  type Frame,
  type ManagedPool,
  type ManagedSource,
  runInEndOf,
  runningTransactions,
  runWork,
  type Session,
  type SessionStatus,
  type SessionWork,
  type TransactionLease,
} from '../connection/index.js';
import { checkCommit, settleCommit } from './commit-outcome.js';
import { DueControl } from './due-control.js';
import { CommitFailedError, UnexpectedRollbackError } from './errors.js';
import { giveBack } from './give-back.js';
import type { Completion, ScopeEnd } from './hooks.js';
import { commitBefore } from './implicit-commit.js';
import type { Opening, TransactionOpening } from './opening.js';
import { Participants } from './participants.js';
import { endedByStatement } from './refusal.js';
import { LeftOpenError } from './rollback-reason.js';
import { ABORT_LIMIT_MS, rollBackWithin, ROLLBACK_LIMIT_MS, type RollbackSeen } from './rollback-seen.js';
import { Scope, type ScopeOwner } from './scope.js';
import { StatementQueue } from './statement-queue.js';
import { settledInTime, type TimeLimit } from './time-limit.js';

/** How long a cursor or stream that is open when its method returns may take to end. */
const STREAM_LIMIT_MS = 1000;

// One for both copies of the package: an id in a log must not mean two transactions.
const counter = processGlobal('holdfast.transaction-counter/1', () => ({ next: 1 }));

/** A scope of a {@link Transaction}. */
export type TransactionScope = Scope<Transaction>;

/**
 * One physical transaction, from its first statement to the server's answer to COMMIT or ROLLBACK. It borrows a
 * connection when its first statement comes; BEGIN, SAVEPOINT and RELEASE travel in front of the next statement.
 */
export class Transaction implements ScopeOwner {
  readonly #number = counter.next++;
  readonly name: string;
  readonly source: ManagedSource;
  readonly pool: ManagedPool;
  readonly isolationLevel: IsolationLevel | undefined;
  readonly readOnly: boolean;
  readonly allowsImplicitCommit: boolean;
  readonly dialect: ManagedPool['dialect'];
  /** The frame that statements of this transaction run in. */
  readonly frame: Frame;
  readonly root: TransactionScope;
  readonly queue: StatementQueue;
  readonly participants = new Participants();
  /** Why no further statement can run, once there is a reason. */
  broken: Error | undefined;
  /** Whether the server confirmed COMMIT, or there was nothing to commit. */
  committed = false;
  /** Whether COMMIT is on its way, and cannot be taken back. */
  committing = false;
  /** Why it was ended from outside, where it was. */
  abortReason: Error | undefined;
  readonly #opening: Opening;
  /** Rejects what waits for the method while it runs. */
  readonly #onAbort: ((error: Error) => void)[] = [];
  /** Told what was seen of the rollback, where it was ended from outside. */
  #onRolledBack: ((seen: RollbackSeen) => void)[] | undefined;
  #lease: TransactionLease | undefined;
  #cancelling: Promise<void> | undefined;
  #over = false;
  #begun = false;
  #savepoints = 0;
  readonly #due: DueControl;

  constructor({ name, source, pool, isolationLevel, readOnly, outer, opening, ...more }: TransactionOpening) {
    this.name = name;
    this.source = source;
    this.pool = pool;
    this.isolationLevel = isolationLevel;
    this.readOnly = readOnly;
    this.allowsImplicitCommit = more.allowsImplicitCommit;
    this.dialect = pool.dialect;
    this.#opening = opening;
    this.root = new Scope<Transaction>(this, { name, parent: undefined, savepoint: undefined });
    this.frame = { parent: outer, source, scope: this.root };
    this.queue = new StatementQueue(this.root.lane);
    this.#due = new DueControl(pool.dialect, { isolationLevel, readOnly });
  }

  get id(): string {
    return `tx-${this.#number}`;
  }

  /** Where it was opened, as the cause of errors about it. */
  get openedAt(): Error {
    return this.#opening.toError();
  }

  get connection(): Session | undefined {
    return this.#lease?.session;
  }

  /** The server's last word, where a connection is borrowed. */
  get status(): SessionStatus | undefined {
    return this.#lease?.session.status();
  }

  /** `pg_stat_activity.pid` of the connection, once there is one. */
  get backendId(): number | undefined {
    return this.#lease?.session.backendId;
  }

  nextSavepoint(): string {
    return `holdfast_${++this.#savepoints}`;
  }

  /** Made here, because a call from the other copy of the package has another class of scopes, with private parts of its own. */
  nest(name: string, parent: TransactionScope): TransactionScope {
    return new Scope<Transaction>(this, { name, parent, savepoint: this.nextSavepoint() });
  }

  openSavepoint(name: string): void {
    this.#due.savepoint(name);
  }

  /** The transaction's connection, borrowed at the first call. Only in turn. */
  session(): Promise<Session> {
    // What waited behind a failed BEGIN would be applied in autocommit.
    if (this.broken) return Promise.reject(this.root.closedError());
    if (this.#lease) return Promise.resolve(this.#lease.session);
    return this.pool.acquire({ name: this.name, frame: this.frame }).then(
      (lease) => {
        if (this.#over) {
          lease.end();
          throw this.root.closedError();
        }
        this.#lease = lease;
        return lease.session;
      },
      (error: Error) => {
        this.broken ??= error;
        throw error;
      },
    );
  }

  /** Runs one piece of work in turn, with the control statements that are due in front of it. */
  run<T>(work: SessionWork<T>, scope: Scope): Promise<T> {
    // Not async: each promise costs, twice so in an async context.
    if (this.#lease && !this.broken) return this.#runOn(this.#lease.session, work, scope);
    return this.session().then((session) => this.#runOn(session, work, scope));
  }

  #runOn<T>(session: Session, work: SessionWork<T>, scope: Scope): Promise<T> {
    if (work.commitsImplicitly) return this.#runBetween(session, work);
    const prefix = this.#due.take();
    const began = this.#begun;
    this.#begun = true;
    const failed = (error: unknown): never => {
      scope.failure ??= error;
      if (began && session.endedByStatement) this.broken ??= endedByStatement(this.name, error);
      // Still idle: BEGIN itself failed, and by protocol the statement behind it was skipped.
      if (session.lost || session.status() === 'idle') this.broken ??= error as Error;
      throw error;
    };
    const answered = (result: T): T =>
      session.endedByStatement ? failed(endedByStatement(this.name)) : result;
    return runWork(work, session, prefix).then(answered, failed);
  }

  /** Runs a statement that commits implicitly: what comes after it is in a new transaction. */
  async #runBetween<T>(session: Session, work: SessionWork<T>): Promise<T> {
    const refusal = session.refuseImplicitCommit?.(work.commitsImplicitly!);
    if (refusal) throw refusal;
    try {
      if (this.#begun) await commitBefore(session, work.commitsImplicitly!, this);
      this.#begun = false;
      this.#due.beginAgain();
      return await runWork(work, session, []);
    } catch (error) {
      if (this.#begun || session.lost) this.broken ??= error as Error;
      throw error;
    }
  }

  /**
   * Ends the transaction from outside: what runs is cancelled, the method's caller gets `error` at once. When COMMIT
   * is on its way already it cannot be taken back; then the wait for its answer ends, and the outcome is settled.
   * `told` is called when the rollback has ended, before anybody is told of that.
   */
  abort(error: Error, told?: (seen: RollbackSeen) => void): void {
    if (this.committing) return this.#lease?.session.abandon(error);
    if (this.#over) return;
    if (told) (this.#onRolledBack ??= []).push(told);
    this.abortReason ??= error;
    this.broken ??= error;
    this.root.close();
    const lease = this.#lease;
    this.#cancelling = lease && cancelUntil(this.queue.drained(), lease.session, () => this.#lease === lease);
    for (const reject of this.#onAbort) reject(error);
  }

  /** {@link settledInTime}, or rejects as soon as the transaction is ended from outside: a timeout, a shutdown. */
  orAborted<T>(work: PromiseLike<T>, limit?: TimeLimit): Promise<T> {
    const waiting = settledInTime(work, this.#onAbort, limit);
    if (this.abortReason) this.#onAbort.at(-1)!(this.abortReason);
    return waiting;
  }

  /** Whether anything still wants to run before COMMIT. Where none will be sent, nothing does. */
  get preparesCommit(): boolean {
    const { hooks, rollbackOnly } = this.root;
    if (hooks.prepared && this.participants.prepared) return false;
    return !rollbackOnly && !this.broken && this.status !== 'failed';
  }

  /** Runs what wants to run before COMMIT, while statements are still taken. A subscriber may register hooks that want to run as well. */
  async prepareCommit(): Promise<void> {
    if (!this.root.hooks.prepared) await this.root.hooks.runBeforeCommit(this.name);
    await this.participants.beforeCommit();
  }

  /**
   * Commits, or explains why it cannot. Call after the method has returned and its before-commit hooks have run.
   * A rollback that the method itself asked for is no error.
   */
  commit(limit?: TimeLimit): Promise<Completion> {
    const unfinished = this.root.obstacle();
    this.root.close();
    if (unfinished) return this.#rollBackBecause(unfinished);
    if (this.queue.idle) return this.#commitDrained(limit);
    return this.drained().then(() => this.#commitDrained(limit));
  }

  async #commitDrained(limit: TimeLimit | undefined): Promise<Completion> {
    limit?.enforce();
    // What was still on its way when the method returned may have failed.
    const obstacle = this.root.obstacle();
    if (obstacle) return this.#rollBackBecause(obstacle);
    if (this.root.rollbackOnly) return this.rollback().then(() => 'rolled back');
    this.#over = true;
    if (this.#lease && this.#begun) {
      this.committing = true;
      const answer = await this.#lease.session.commit();
      this.committing = false;
      if (answer.kind !== 'committed') await this.#readFailure(answer);
    }
    // Closed already where its answer was lost.
    this.#giveBack();
    this.committed = true;
    runningTransactions.end(this);
    return 'committed';
  }

  /** Lets the server say now, where it can, why it would refuse the COMMIT. Call once all statements have ended. */
  async checkCommit(): Promise<void> {
    const session = this.#begun ? this.#lease?.session : undefined;
    if (session) await this.queue.alone(() => checkCommit(session, this));
  }

  /** {@link tellOfEnd}, or `undefined` where nobody listens. */
  end(error: unknown, completion: Completion): Promise<void> | undefined {
    this.root.noteEnd(completion);
    const isHeard = completion === 'committed' && !this.participants.unheard;
    if (isHeard || !this.root.hooks.empty) return this.tellOfEnd({ completion, error });
    runningTransactions.delete(this);
    return undefined;
  }

  /** Tells subscribers and hooks how it ended. Never rejects. */
  async tellOfEnd(end: ScopeEnd): Promise<void> {
    runningTransactions.end(this);
    if (end.completion === 'committed') await this.participants.tell('afterCommit', this);
    await runInEndOf(this, () => this.root.hooks.runAfter(end, this.name));
    runningTransactions.delete(this);
  }

  /** Waits for the statements that are on their way. A cursor that nobody reads on, or closes, would never end: it is cut off. */
  async drained(): Promise<void> {
    while (!this.queue.idle) {
      const waiting = this.queue.drained();
      await settledWithin(systemClock, STREAM_LIMIT_MS, waiting);
      const session = this.#lease?.session;
      if (this.queue.idle || !session?.streaming) continue;
      const open = new LeftOpenError();
      this.broken ??= open;
      session.abandon(open);
    }
  }

  /** Rolls back whatever was done. Never rejects: a connection that cannot roll back is closed, and the server does it. */
  async rollback(): Promise<void> {
    this.root.close();
    this.root.refuseWaiting();
    this.#over = true;
    await this.#tellOfRollback('beforeRollback');
    const seen = this.#lease ? await this.#rollbackOn(this.#lease.session) : 'rolled back';
    for (const tell of this.#onRolledBack ?? []) tell(seen);
    await this.#tellOfRollback('afterRollback');
  }

  /** Releases the savepoint of a nested scope whose method returned, or rolls back to it and throws why. */
  async releaseSavepoint(scope: TransactionScope, limit?: TimeLimit): Promise<Completion> {
    const unfinished = scope.obstacle();
    scope.close();
    if (!unfinished) await scope.settled();
    limit?.enforce();
    const obstacle = unfinished ?? scope.obstacle();
    if (obstacle || scope.rollbackOnly) {
      await this.rollbackToSavepoint(scope);
      if (obstacle) throw this.abortReason ?? obstacle;
      return 'rolled back';
    }
    if (scope.entered) {
      if (this.#due.release(scope.savepoint!)) scope.parent!.noteKept({}, `"${scope.name}"`);
      this.queue.leave(scope.lane);
    }
    return 'committed';
  }

  /** Undoes a nested scope. What keeps it from being undone breaks the transaction as a whole. */
  async rollbackToSavepoint(scope: TransactionScope): Promise<void> {
    scope.close();
    scope.refuseWaiting();
    if (!scope.entered) return;
    await this.drained();
    await this.queue.alone(async () => {
      // A scope around it that has ended is rolled back as a whole, and this savepoint with it.
      if (!scope.parent?.closed && !this.#due.withdraw(scope.savepoint!) && !this.broken) {
        // What is due still was due inside the savepoint.
        this.#due.take();
        try {
          await this.#lease!.session.control(this.dialect.undoSavepoint(scope.savepoint!));
        } catch (error) {
          // Where the scope around it had failed before, the savepoint never came to be, and that failure is the one to tell.
          if (this.status === 'failed' && scope.parent) scope.parent.failure ??= error;
          else this.broken ??= error as Error;
        }
      }
      this.queue.leave(scope.lane);
    });
  }

  /** A subscriber that never settles must keep neither the connection nor the caller. */
  async #tellOfRollback(moment: 'beforeRollback' | 'afterRollback'): Promise<void> {
    if (this.participants.unheard) return;
    await settledWithin(systemClock, this.#rollbackLimitMs, this.participants.tell(moment, this));
  }

  get #rollbackLimitMs(): number {
    return this.abortReason ? ABORT_LIMIT_MS : ROLLBACK_LIMIT_MS;
  }

  async #rollbackOn(session: Session): Promise<RollbackSeen> {
    const seen = await rollBackWithin(this.#rollbackLimitMs, session, {
      // Once the limit has passed the connection is no longer ours.
      isOurs: () => this.#lease?.session === session && this.#begun,
      inTurn: (work) => this.drained().then(() => this.queue.alone(work)),
      // A cancel request that is still on its way would meet the ROLLBACK, or the next holder's statement.
      cancelled: () => this.#cancelling,
    });
    this.#giveBack();
    return seen;
  }

  async #rollBackBecause(error: UnexpectedRollbackError): Promise<never> {
    await this.rollback();
    throw this.abortReason ?? error;
  }

  async #readFailure(answer: Exclude<CommitAnswer, { kind: 'committed' }>): Promise<void> {
    const { session } = this.#lease!;
    if (answer.kind === 'rolled back') {
      if (!session.lost && session.status() === 'failed')
        await settledWithin(systemClock, ROLLBACK_LIMIT_MS, session.control('ROLLBACK'));
      this.#giveBack();
      await this.participants.tell('afterRollback', this);
      throw (
        answer.error ??
        new UnexpectedRollbackError(`"${this.name}" asked to commit, and the server answered ROLLBACK.`, {
          cause: this.root.failure,
        })
      );
    }
    this.#giveBack(answer.error);
    const error = await settleCommit(answer, this);
    if (error instanceof CommitFailedError) await this.participants.tell('afterRollback', this);
    if (error) throw error;
  }

  #giveBack(reason?: Error): void {
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease) giveBack(lease, this.name, reason);
  }
}
