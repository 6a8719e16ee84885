import { runInFrame } from './context.js';
import { type LeaseReclaimedError, LeaseReleasedError, StaleLeaseError } from './errors.js';
import type { LeaseBook, LeaseEnd, LeaseUsage, OpenLeaseRequest } from './lease.js';
import { RequestedLease } from './requested-lease.js';
import type { Session } from './session.js';

/** What a request knew before it got its connection. */
export type DriverRequest = OpenLeaseRequest;

/** `isRunning`: whether a statement of the holder runs, where the driver does not tell. */
export type GiveBack = (destroyBecause: Error | boolean | undefined, isRunning?: boolean) => boolean;

/** A connection as its driver lends it. */
export interface DriverLoan<C> {
  readonly connection: C;
  /** What two loans of one physical connection have in common. */
  readonly physical: object;
  readonly backendId: number | undefined;
  readonly acquiredAt: number;
  /** Gives the connection back, or closes it where there is a reason; answers whether it was closed. */
  readonly giveBack: GiveBack;
}

/** What a driver says of a connection. */
export interface ConnectionState {
  readonly running: boolean;
  readonly inTransaction: boolean;
  readonly traffic?: number | undefined;
  /** Whether its holder listens to what the server sends by itself. */
  readonly listening?: boolean;
}

/** What all leases of one pool share. */
export interface LeaseShared<C extends object> {
  readonly book: LeaseBook;
  /** Who holds each physical connection that was ever lent; `undefined` while nobody does. */
  readonly current: WeakMap<object, DriverLease<C> | undefined>;
  now(): number;
  inspect(connection: C): ConnectionState;
  /** Cancels what runs on a connection. Never rejects. */
  cancel(connection: C): Promise<void>;
}

/** Leases whose holders were handed an object: once that is collected, nobody can release them. */
const collected = new FinalizationRegistry<{ abandon(): void }>((lease) => lease.abandon());

const CLEAN: LeaseEnd = { inTransaction: false };

/** One loan of one connection, from checkout to release. */
export class DriverLease<C extends object> extends RequestedLease {
  readonly opened: boolean;
  /** Statements that run, where the driver does not tell. */
  inFlight = 0;
  /** The connection as the transaction sees it that holds it. */
  session: Pick<Session, 'status'> | undefined;
  readonly #loan: DriverLoan<C>;
  readonly #shared: LeaseShared<C>;
  readonly #book: LeaseBook;
  #released = false;
  #reclaimed: LeaseReclaimedError | undefined;
  #tellOfEnd: (() => void)[] | undefined;
  #lastUsedAt: number;
  #statement: string | undefined;
  /** Whether the last statement runs as long as its reader lets it. */
  #streams = false;

  constructor(request: DriverRequest, loan: DriverLoan<C>, shared: LeaseShared<C>) {
    super(request, loan);
    this.#lastUsedAt = loan.acquiredAt;
    this.#loan = loan;
    this.#shared = shared;
    this.#book = shared.book;
    this.opened = !shared.current.has(loan.physical);
    shared.current.set(loan.physical, this);
    this.#book.opened(this);
  }

  /** False lets a hot path skip reading what it would say of a statement. */
  get watched(): boolean {
    return this.#book.observed;
  }

  /** A statement is sent. `text`: without the values of its parameters. */
  used(text: string | undefined, how: 'query' | 'stream' = 'query'): void {
    if (!this.#book.observed) return;
    this.#lastUsedAt = this.#shared.now();
    this.#streams = how === 'stream';
    if (text !== undefined) this.#statement = text;
  }

  usage(): LeaseUsage {
    const { running, traffic, inTransaction } = this.#inspect();
    return { lastUsedAt: this.#lastUsedAt, statement: this.#statement, running, traffic, inTransaction };
  }

  #inspect(): ConnectionState {
    const state = this.#shared.inspect(this.#loan.connection);
    const running = state.running || this.inFlight > 0 || this.session?.status() === 'busy';
    return { ...state, running, traffic: this.#streams ? state.traffic : undefined };
  }

  /**
   * Learns when `token` is garbage-collected: whatever the holder was handed must refer to it, and nothing else may.
   */
  watchHolder(token: object): void {
    if (this.askedAt) collected.register(token, this, this);
  }

  abandon(): void {
    if (this.#released) return;
    const { running, listening } = this.#inspect();
    // It still does what it was taken for. The next collection asks again.
    if (running || listening) collected.register({}, this, this);
    else this.#book.emit('abandoned', this);
  }

  /** Ends the loan over its holder's head: the connection is closed, and whoever uses it still is told `reason`. */
  async reclaim(reason: LeaseReclaimedError): Promise<void> {
    if (this.#released || this.#reclaimed) return this.ended;
    this.#reclaimed = reason;
    await this.#shared.cancel(this.#loan.connection);
    if (!this.#released) this.#giveBack(reason);
  }

  get released(): boolean {
    return this.#released;
  }

  get reclaimed(): boolean {
    return this.#reclaimed !== undefined;
  }

  /** Resolves when the loan has ended. */
  get ended(): Promise<void> {
    if (this.#released) return Promise.resolve();
    return new Promise((resolve) => (this.#tellOfEnd ??= []).push(resolve));
  }

  /** Ends the loan. Throws {@link LeaseReleasedError} the second time. */
  readonly release = (destroyBecause?: Error | boolean): void => {
    if (this.#released) {
      if (this.#book.observed) this.#book.emit('lateUse', this, 'release');
      // The holder does what it should, only late: an error in its finally block would hide its own.
      if (this.#reclaimed) return;
      throw new LeaseReleasedError(
        `Release called on client which has already been released to the pool. This lease of pool "${this.pool}" ` +
          '(connection pid ' +
          `${this.backendId ?? 'unknown'}) ended before; whoever holds the connection now is untouched. Release once, in a finally block.`,
      );
    }
    // A cancel request that is on its way would meet the next holder's statement.
    this.#giveBack(this.#reclaimed ?? destroyBecause);
  };

  #giveBack(destroyBecause: Error | boolean | undefined): void {
    this.#released = true;
    if (this.askedAt) collected.unregister(this);
    const { physical, giveBack } = this.#loan;
    const end = this.#book.observed && !destroyBecause ? this.#end() : CLEAN;
    this.#shared.current.set(physical, undefined);
    // The pool may lend the connection on within this call. Its events, and the timer of the idle connection,
    // are not the releaser's: they must not see, or keep, the transaction that the release happens in.
    const letEventsGo = this.#book.holdEvents();
    let destroyed = Boolean(destroyBecause);
    try {
      destroyed = runInFrame(undefined, () => giveBack(destroyBecause, this.inFlight > 0));
    } finally {
      const reason = destroyBecause instanceof Error ? destroyBecause : undefined;
      this.#book.closed(this, { destroyed, reason, end });
      letEventsGo();
      for (const tell of this.#tellOfEnd ?? []) tell();
    }
  }

  #end(): LeaseEnd {
    const { running, inTransaction } = this.#inspect();
    // What runs may be the ROLLBACK.
    return { inTransaction: inTransaction && !running };
  }

  /** Refuses a use after the release when the connection is somebody else's by now. */
  checkUse(use: 'query' | 'end'): Error | undefined {
    if (!this.#released && !this.#reclaimed) return undefined;
    if (this.#book.observed) this.#book.emit('lateUse', this, use);
    if (this.#reclaimed) return this.#reclaimed;
    const holder = this.#shared.current.get(this.#loan.physical);
    if (!holder) return undefined;
    return new StaleLeaseError(
      `A client of pool "${this.pool}" was used after its release, and its connection (pid ${this.backendId ?? 'unknown'}) ` +
        `is lent to ${holder.holder ? `"${holder.holder}"` : 'another caller'} now. Nothing was sent. Await every query before release().`,
    );
  }
}
