import type { LeaseReclaimedError } from './errors.js';
import type { LeaseBook, LeaseUsage, OpenLeaseRequest } from './lease.js';
import { RequestedLease } from './requested-lease.js';

/**
 * A connection that is lent in the transaction of a test, and stands for one of the pool's: nothing goes back with it, and
 * whoever watches the pool is told all the same whether it is given back.
 */
export class TestLoan extends RequestedLease {
  readonly #book: LeaseBook;
  #statement: string | undefined;
  #ended = false;

  constructor(request: OpenLeaseRequest, book: LeaseBook) {
    super(request, { acquiredAt: request.requestedAt, backendId: undefined });
    this.#book = book;
    book.opened(this);
  }

  used(text: string | undefined): void {
    this.#statement = text ?? this.#statement;
  }

  usage(): LeaseUsage {
    return {
      lastUsedAt: this.acquiredAt,
      statement: this.#statement,
      running: false,
      traffic: undefined,
      inTransaction: false,
    };
  }

  end(reason?: LeaseReclaimedError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#book.closed(this, { destroyed: reason !== undefined, reason, end: { inTransaction: false } });
  }
}
