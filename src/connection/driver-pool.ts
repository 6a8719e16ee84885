import { type Clock, type Dialect, messageOf } from '../core/index.js';
import { acquireTimeout, explainTimeout } from './acquire-timeout.js';
import type { AmbientScope } from './ambient-scope.js';
import { leaseContext } from './app-request.js';
import { currentFrame, type Frame, runInFrame, scopeOnPool } from './context.js';
import {
  type ConnectionState,
  DriverLease,
  type DriverRequest,
  type GiveBack,
  type LeaseShared,
} from './driver-lease.js';
import { AcquireTimeoutError, type LeaseReclaimedError, PoolEndedError } from './errors.js';
import { discardLease } from './discard-lease.js';
import type { ManualTransactions } from './hand-written.js';
import {
  LeaseBook,
  type LeaseInfo,
  type LeaseKind,
  type LeaseObserver,
  type LeaseRequest,
  type LeaseUsage,
} from './lease.js';
import type {
  ManagedPool,
  ManagedSource,
  PoolCounts,
  TransactionHolder,
  TransactionLease,
} from './managed-pool.js';
import type { Session, SettledOutcome } from './session.js';
import { tellServing } from './registry.js';
import { ReplacedMethods } from './replaced-methods.js';
import { type RunningTransaction, runningTransactions } from './running-transactions.js';
import type { SharedTransaction } from './shared-transaction.js';
import { currentSharing } from './sharing.js';
import { TestLoan } from './test-loan.js';
import { type WaitedPool, waitGraph } from './wait-graph.js';

/** A {@link Session} that listens to its connection until its lease ends. */
export interface DriverSession extends Session {
  /** Whether a statement runs that ends by itself: a stream waits for its reader. */
  readonly isRunning: boolean;
  /** Why a connection that still works is closed all the same when its transaction ends. */
  readonly distrusted?: Error | undefined;
  detach(): void;
}

/** What a driver's pool answers to a request: a connection, or why there is none. */
export type Answer<C> = (error: Error | undefined, connection?: C, giveBack?: GiveBack) => void;

/** A connection and its lease. */
export interface Lent<C extends object> {
  readonly connection: C;
  readonly lease: DriverLease<C>;
}

/** A connection that a transaction holds. */
interface Opened<C extends object> extends Lent<C> {
  readonly session: DriverSession;
}

export interface DriverPoolOptions {
  readonly name: string;
  readonly clock: Clock;
  /** How long a request may wait for a connection; `undefined`: as long as the driver lets it. */
  readonly acquireTimeoutMs: number | undefined;
  readonly onUnwrap: () => void;
}

/** The leases of a driver's pool: what is the same whichever driver it is of. */
export abstract class DriverPool<C extends object> implements ManagedPool, WaitedPool {
  abstract readonly dialect: Dialect;
  abstract readonly native: object;
  abstract readonly ended: boolean;
  readonly clock: Clock;
  readonly onlyOne?: string;
  protected readonly book = new LeaseBook();
  readonly #options: DriverPoolOptions;
  readonly #shared: LeaseShared<C> = {
    book: this.book,
    current: new WeakMap(),
    now: () => this.clock.now(),
    inspect: (connection) => this.inspect(connection),
    cancel: (connection) => this.#cancel(connection),
  };
  readonly #replaced = new ReplacedMethods();
  #name: string;
  #source: ManagedSource | undefined;
  #unwrapped = false;

  constructor(options: DriverPoolOptions) {
    this.#options = options;
    this.#name = options.name;
    this.clock = options.clock;
  }

  abstract counts(): PoolCounts;
  abstract transactionClient(scope: AmbientScope, handWritten?: ManualTransactions): object;
  abstract settle(transactionId: string): Promise<SettledOutcome>;

  /** Asks the driver's own pool. */
  protected abstract ask(answer: Answer<C>): void;
  /** `onRest` is to be called when no statement runs on the connection any more. */
  protected abstract openSession(connection: C, onRest: () => void): DriverSession;
  /** Whether the server said last that the connection is in a transaction. */
  protected abstract isInTransaction(connection: C): boolean;
  /** What the connection is doing, for whoever watches its lease. */
  protected abstract inspect(connection: C): ConnectionState;
  protected abstract backendIdOf(connection: C): number | undefined;
  /** Whether the driver itself gave up waiting. */
  protected abstract isTimeout(error: Error): boolean;

  /** What two loans of one physical connection have in common. */
  protected physicalOf(connection: C): object {
    return connection;
  }

  /** Called when a transaction begins to wait for a connection; the answered function when it does no longer. */
  protected onWait(_refuse: (error: Error) => void): () => void {
    return () => {};
  }

  get name(): string {
    return this.#name;
  }

  get acquireTimeoutMs(): number | undefined {
    return this.#options.acquireTimeoutMs;
  }

  get source(): ManagedSource {
    if (!this.#source) throw new Error(`pool "${this.name}" was not registered`);
    return this.#source;
  }

  get serving(): boolean {
    return this.#source !== undefined;
  }

  serve(source: ManagedSource, name: string): void {
    this.#name = name;
    this.#source = source;
    tellServing(this);
  }

  isFilledBy(connections: number): boolean {
    const { max, total } = this.counts();
    return total >= max && connections >= total;
  }

  leases(): readonly LeaseInfo[] {
    return this.book.list();
  }

  waiting(): readonly LeaseRequest[] {
    return this.book.waiting();
  }

  usage(lease: LeaseInfo): LeaseUsage | undefined {
    return lease instanceof DriverLease || lease instanceof TestLoan ? lease.usage() : undefined;
  }

  async reclaim(lease: LeaseInfo, reason: LeaseReclaimedError): Promise<void> {
    if (lease instanceof TestLoan) return lease.end(reason);
    if (!(lease instanceof DriverLease) || lease.released) return;
    const transaction = lease.kind === 'transaction' ? lease.frame?.scope?.transaction : undefined;
    if (!transaction || !runningTransactions.has(transaction)) return lease.reclaim(reason);
    (transaction as RunningTransaction).abort(reason);
    await lease.ended;
  }

  get observed(): boolean {
    return this.book.observed;
  }

  observe(observer: LeaseObserver): () => void {
    return this.book.observe(observer);
  }

  acquire(holder: TransactionHolder): Promise<TransactionLease> {
    try {
      const shared = this.#sharedTransaction();
      if (shared) return shared.acquire(holder);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    return this.#borrowFor(holder).then(
      (lent) =>
        this.isInTransaction(lent.connection) ? this.#another(lent, holder) : this.#grant(lent, holder),
      (error: unknown) => {
        throw this.#explain(error, holder);
      },
    );
  }

  #borrowFor({ frame, name }: TransactionHolder): Promise<Opened<C>> {
    return this.borrow(this.request('transaction', frame, name), ({ connection, lease }) => ({
      connection,
      lease,
      session: this.openSession(connection, waitGraph.reconsider),
    }));
  }

  /** Borrows until a connection comes that its last holder left clean. */
  async #another(first: Opened<C>, holder: TransactionHolder): Promise<TransactionLease> {
    let lent = first;
    try {
      for (let tries = this.counts().max; this.isInTransaction(lent.connection); tries--) {
        lent.session.detach();
        discardLease(lent.lease, tries);
        lent = await this.#borrowFor(holder);
      }
    } catch (error) {
      throw this.#explain(error, holder);
    }
    return this.#grant(lent, holder);
  }

  #grant({ session, lease }: Opened<C>, { name, frame }: TransactionHolder): TransactionLease {
    session.lease = lease;
    lease.session = session;
    const holder = { name, frame, pool: this, isBusy: () => session.isRunning };
    waitGraph.granted(holder);
    return {
      info: lease,
      session,
      end: (destroyBecause) => {
        waitGraph.returned(holder);
        session.detach();
        lease.release(destroyBecause ?? session.distrusted);
      },
    };
  }

  unwrap(): void {
    if (this.#unwrapped) return;
    this.#unwrapped = true;
    this.#replaced.restore();
    this.#options.onUnwrap();
  }

  /** Puts methods of ours on the pool instance, until {@link unwrap}. */
  protected replace<T extends object>(target: T, methods: Partial<T>): void {
    this.#replaced.replace(target, methods);
  }

  /** A pool that serves no data source yet is outside every transaction. */
  protected scope(): AmbientScope | undefined {
    if (!this.#source || this.#unwrapped) return undefined;
    return scopeOnPool(this.#source) ?? this.#sharedTransaction()?.session(currentFrame());
  }

  /** Notes a connection that is lent in the transaction of a test alone, where somebody watches. */
  protected lendInTest({ autocommit }: AmbientScope): TestLoan | undefined {
    if (!autocommit || !this.book.observed) return undefined;
    return new TestLoan(this.request('client', currentFrame()), this.book);
  }

  /** The transaction that a test runs in. A pool that has ended says so itself. */
  #sharedTransaction(): SharedTransaction | undefined {
    return this.ended ? undefined : currentSharing()?.of(this.source);
  }

  protected request(kind: LeaseKind, frame: Frame | undefined, holder?: string): DriverRequest {
    const requestedAt = this.clock.now();
    if (!this.book.observed) return { pool: this.name, kind, frame, holder, requestedAt };
    const request = { pool: this.name, kind, frame, holder, requestedAt, ...leaseContext() };
    this.book.describe(request);
    return request;
  }

  /**
   * `take` is called within the driver's own answer: a connection may break before any promise has told of it, and
   * whoever is to hear of that must listen by then.
   */
  protected borrow<T>(request: DriverRequest, take: (lent: Lent<C>) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.lend(request, (error, lent) => (lent ? resolve(take(lent)) : reject(error as Error)));
    });
  }

  /** Whether a request that is made outside every frame can go past the books, to the driver itself. */
  protected get isUnwatched(): boolean {
    if (this.acquireTimeoutMs !== undefined || this.book.watchesQueries) return false;
    // Whoever has to wait is worth a look.
    return !this.book.observed || !this.mustWait();
  }

  protected lend(request: DriverRequest, done: (error: Error | undefined, lent?: Lent<C>) => void): void {
    // Dropped with the answer: a lease keeps what gives its connection back, which must not keep what its holder got.
    let asker: typeof done | undefined = done;
    let stopWaiting: (() => void) | undefined;
    const take = (): typeof done | undefined => {
      const taken = asker;
      asker = undefined;
      if (taken) stopWaiting?.();
      return taken;
    };
    const refuse = (error: Error): void => take()?.(this.#starved(request, error));
    if (this.mustWait()) stopWaiting = this.#wait(request, refuse);
    const answer: Answer<C> = (error, connection, giveBack) => {
      const tell = take();
      // Nobody waits any more: it goes to the next in line.
      if (!tell) return void giveBack?.(undefined);
      if (error || !connection || !giveBack) {
        return tell(this.#starved(request, error ?? new Error('the driver lent no connection')));
      }
      const loan = {
        connection,
        physical: this.physicalOf(connection),
        giveBack,
        backendId: this.backendIdOf(connection),
        acquiredAt: this.clock.now(),
      };
      tell(undefined, { connection, lease: new DriverLease(request, loan, this.#shared) });
    };
    // A connection that is opened here outlives this call; its socket must not keep this call's context.
    runInFrame(undefined, () => this.ask(answer));
  }

  /** Notes a request that waits; the returned function says that it does no longer. */
  #wait(request: DriverRequest, refuse: (error: Error) => void): () => void {
    const stopWatching = this.book.waits(request);
    const isTransaction = request.kind === 'transaction';
    // A transaction that is begun in none holds nobody up while it waits: it stays out of the graph, whose judgement
    // costs as much as there are waiters.
    const around = isTransaction ? request.frame?.parent : request.frame;
    const describe = request.holder ? `"${request.holder}"` : 'A statement outside the transaction';
    const leaveGraph = around && waitGraph.waiting({ frame: around, pool: this, describe, refuse });
    const stopDriver = isTransaction ? this.onWait(refuse) : undefined;
    const { acquireTimeoutMs } = this;
    const timer =
      acquireTimeoutMs === undefined
        ? undefined
        : this.clock.setTimer(
            () => refuse(this.#timeout(request.holder, `it waited ${acquireTimeoutMs} ms`)),
            acquireTimeoutMs,
          );
    return () => {
      stopWatching();
      leaveGraph?.();
      stopDriver?.();
      timer?.clear();
    };
  }

  /** A driver may hand an idle connection over later: until then it counts as idle, and its taker as waiting. */
  protected mustWait(): boolean {
    const { max, total, idle, pending } = this.counts();
    return idle + max - total <= pending;
  }

  #explain(error: unknown, { name }: TransactionHolder): unknown {
    if (this.ended) {
      return new PoolEndedError(`"${name}" needs a connection of pool "${this.name}", which has ended.`, {
        cause: error,
      });
    }
    return error instanceof Error && this.isTimeout(error)
      ? this.#timeout(name, messageOf(error), error)
      : error;
  }

  /** The error of a request that got no connection: where somebody observes, with who holds them all. */
  #starved(request: DriverRequest, error: Error): Error {
    if (!this.book.observed) return error;
    this.book.emit('gaveUp', request, error);
    const isOurs = error instanceof AcquireTimeoutError;
    if (!isOurs && !this.isTimeout(error)) return error;
    const explanations = this.book.explain(request);
    // Where nobody has anything to add, it is the driver's own error, as without holdfast.
    if (!isOurs && explanations.length === 0) return error;
    const timeout = isOurs ? error : this.#timeout(request.holder, messageOf(error), error);
    return explainTimeout(timeout, request.askedAt, explanations);
  }

  async #cancel(connection: C): Promise<void> {
    const session = this.openSession(connection, () => {});
    try {
      await session.cancel();
    } finally {
      session.detach();
    }
  }

  #timeout(holder: string | undefined, why: string, cause?: unknown): AcquireTimeoutError {
    return acquireTimeout(this, { holder, why, cause });
  }
}
