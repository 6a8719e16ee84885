import { type Frame, runInFrame } from './context.js';
import { LeaseReleasedError, StaleLeaseError } from './errors.js';
import { type LeaseBook, type LeaseInfo, type LeaseKind, nextLeaseId } from './lease.js';

/** What a request knew before it got its connection. */
export interface DriverRequest {
  readonly kind: LeaseKind;
  readonly holder: string | undefined;
  readonly frame: Frame | undefined;
  readonly requestedAt: number;
}

export type GiveBack = (destroyBecause: Error | boolean | undefined) => boolean;

/** A connection as its driver lends it. */
export interface DriverLoan<C> {
  readonly pool: string;
  readonly connection: C;
  /** What two loans of one physical connection have in common. */
  readonly physical: object;
  readonly backendId: number | undefined;
  readonly acquiredAt: number;
  /** Gives the connection back, or closes it where there is a reason; answers whether it was closed. */
  readonly giveBack: GiveBack;
}

/** Who holds each physical connection now; shared by all leases of one pool. */
export type CurrentLeases<C extends object> = WeakMap<object, DriverLease<C>>;

/** One loan of one connection, from checkout to release. */
export class DriverLease<C extends object> implements LeaseInfo {
  readonly id = nextLeaseId();
  readonly pool: string;
  readonly kind: LeaseKind;
  readonly holder: string | undefined;
  readonly frame: Frame | undefined;
  readonly requestedAt: number;
  readonly acquiredAt: number;
  readonly backendId: number | undefined;
  readonly #loan: DriverLoan<C>;
  readonly #book: LeaseBook;
  readonly #current: CurrentLeases<C>;
  #released = false;

  constructor(
    request: DriverRequest,
    loan: DriverLoan<C>,
    shared: { book: LeaseBook; current: CurrentLeases<C> },
  ) {
    this.pool = loan.pool;
    this.kind = request.kind;
    this.holder = request.holder;
    this.frame = request.frame;
    this.requestedAt = request.requestedAt;
    this.acquiredAt = loan.acquiredAt;
    this.backendId = loan.backendId;
    this.#loan = loan;
    this.#book = shared.book;
    this.#current = shared.current;
    this.#current.set(loan.physical, this);
    this.#book.opened(this);
  }

  get released(): boolean {
    return this.#released;
  }

  /** Ends the loan. Throws {@link LeaseReleasedError} the second time. */
  readonly release = (destroyBecause?: Error | boolean): void => {
    if (this.#released) {
      if (this.#book.observed) this.#book.emit('lateUse', this, 'release');
      throw new LeaseReleasedError(
        `Release called on client which has already been released to the pool. This lease of pool "${this.pool}" ` +
          '(connection pid ' +
          `${this.backendId ?? 'unknown'}) ended before; whoever holds the connection now is untouched. Release once, in a finally block.`,
      );
    }
    this.#released = true;
    const { physical, giveBack } = this.#loan;
    this.#current.delete(physical);
    // The pool may lend the connection on within this call. Its events, and the timer of the idle connection,
    // are not the releaser's: they must not see, or keep, the transaction that the release happens in.
    const letEventsGo = this.#book.holdEvents();
    let destroyed = Boolean(destroyBecause);
    try {
      destroyed = runInFrame(undefined, () => giveBack(destroyBecause));
    } finally {
      this.#book.closed(this, destroyed, destroyBecause instanceof Error ? destroyBecause : undefined);
      letEventsGo();
    }
  };

  /** Refuses a use after the release when the connection is somebody else's by now. */
  checkUse(use: 'query' | 'end'): StaleLeaseError | undefined {
    if (!this.#released) return undefined;
    if (this.#book.observed) this.#book.emit('lateUse', this, use);
    const holder = this.#current.get(this.#loan.physical);
    if (!holder) return undefined;
    return new StaleLeaseError(
      `A client of pool "${this.pool}" was used after its release, and its connection (pid ${this.backendId ?? 'unknown'}) ` +
        `is lent to ${holder.holder ? `"${holder.holder}"` : 'another caller'} now. Nothing was sent. Await every query before release().`,
    );
  }
}
