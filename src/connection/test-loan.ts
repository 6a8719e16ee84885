import type { Frame } from './context.js';
import {
  type LeaseBook,
  type LeaseInfo,
  type LeaseKind,
  type LeaseUsage,
  nextLeaseId,
  type OpenLeaseRequest,
} from './lease.js';
import type { LeaseReclaimedError } from './errors.js';

/**
 * A connection that is lent in the transaction of a test, and stands for one of the pool's: nothing goes back with it, and
 * whoever watches the pool is told all the same whether it is given back.
 */
export class TestLoan implements LeaseInfo {
  readonly id = nextLeaseId();
  readonly pool: string;
  readonly kind: LeaseKind;
  readonly holder: string | undefined;
  readonly frame: Frame | undefined;
  readonly requestedAt: number;
  readonly acquiredAt: number;
  readonly backendId = undefined;
  readonly askedAt: { readonly stack: string } | undefined;
  readonly request: LeaseInfo['request'];
  readonly allowed: string | undefined;
  readonly calledAt: { readonly stack: string } | undefined;
  readonly #book: LeaseBook;
  #statement: string | undefined;
  #ended = false;

  constructor(request: OpenLeaseRequest, book: LeaseBook) {
    this.pool = request.pool;
    this.kind = request.kind;
    this.holder = request.holder;
    this.frame = request.frame;
    this.requestedAt = this.acquiredAt = request.requestedAt;
    this.askedAt = request.askedAt;
    this.request = request.request;
    this.allowed = request.allowed;
    this.calledAt = request.calledAt;
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
