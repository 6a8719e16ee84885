import { type Frame, runInFrame } from '../../context.js';
import { LeaseReleasedError, StaleLeaseError } from '../../errors.js';
import { type LeaseBook, type LeaseInfo, type LeaseKind, nextLeaseId } from '../../lease.js';
import { memberReader } from './member-reader.js';
import { callBack, isSubmittable } from './pg-transaction-client.js';
import type { PgCallback, PgClient, PgRelease } from './pg-types.js';

/** What a request knew before it got its connection. */
export interface PgRequest {
  readonly kind: LeaseKind;
  readonly holder: string | undefined;
  readonly frame: Frame | undefined;
  readonly requestedAt: number;
}

/** Who holds each physical connection now; shared by all leases of one pool. */
export type CurrentLeases = WeakMap<PgClient, PgLease>;

/** One loan of one connection, from checkout to release. */
export class PgLease implements LeaseInfo {
  readonly id = nextLeaseId();
  readonly pool: string;
  readonly kind: LeaseKind;
  readonly holder: string | undefined;
  readonly frame: Frame | undefined;
  readonly requestedAt: number;
  readonly acquiredAt: number;
  readonly backendId: number | undefined;
  readonly #client: PgClient;
  readonly #giveBack: PgRelease;
  readonly #book: LeaseBook;
  readonly #current: CurrentLeases;
  #released = false;

  constructor(
    request: PgRequest,
    loan: { pool: string; client: PgClient; giveBack: PgRelease; now: number },
    shared: { book: LeaseBook; current: CurrentLeases },
  ) {
    this.pool = loan.pool;
    this.kind = request.kind;
    this.holder = request.holder;
    this.frame = request.frame;
    this.requestedAt = request.requestedAt;
    this.acquiredAt = loan.now;
    this.backendId = loan.client.processID ?? undefined;
    this.#client = loan.client;
    this.#giveBack = loan.giveBack;
    this.#book = shared.book;
    this.#current = shared.current;
    this.#current.set(loan.client, this);
    this.#book.opened(this);
  }

  readonly release = (error?: Error | boolean): void => {
    if (this.#released) {
      if (this.#book.observed) this.#book.emit('lateUse', this, 'release');
      throw new LeaseReleasedError(
        `Release called on client which has already been released to the pool. This lease of pool "${this.pool}" ` +
          '(connection pid ' +
          `${this.backendId ?? 'unknown'}) ended before; whoever holds the connection now is untouched. Release once, in a finally block.`,
      );
    }
    this.#released = true;
    this.#current.delete(this.#client);
    // The pool may lend the connection on within this call. Its events, and the timer of the idle connection,
    // are not the releaser's: they must not see, or keep, the transaction that the release happens in.
    const letEventsGo = this.#book.holdEvents();
    try {
      runInFrame(undefined, () => this.#giveBack(error));
    } finally {
      // pg-pool closes a client of its own accord as well: ended pool, maxUses, lost connection.
      const destroyed = Boolean(error) || this.#client._ending === true;
      this.#book.closed(this, destroyed, error instanceof Error ? error : undefined);
      letEventsGo();
    }
  };

  /** Refuses a use after the release when the connection is somebody else's by now. */
  checkUse(use: 'query' | 'end'): StaleLeaseError | undefined {
    if (!this.#released) return undefined;
    if (this.#book.observed) this.#book.emit('lateUse', this, use);
    const holder = this.#current.get(this.#client);
    if (!holder) return undefined;
    return new StaleLeaseError(
      `A client of pool "${this.pool}" was used after its release, and its connection (pid ${this.backendId ?? 'unknown'}) ` +
        `is lent to ${holder.holder ? `"${holder.holder}"` : 'another caller'} now. Nothing was sent. Await every query before release().`,
    );
  }
}

/**
 * What the holder of a lease gets: the client itself, seen through a lease of its own, so that a holder whose
 * lease has ended can neither release nor disturb the next one's. Two loans of one connection are therefore two
 * objects; what a holder writes on one is on the connection, except a `query`, `release` or `end` of its own.
 */
export function leaseClient(client: PgClient, lease: PgLease): PgClient {
  const { query, end } = client;
  const own: Record<PropertyKey, unknown> = {
    release: lease.release,
    query(...args: [config: unknown, values?: unknown, callback?: unknown]): unknown {
      const stale = lease.checkUse('query');
      return stale ? refuseQuery(stale, args) : query.apply(client, args);
    },
    end(...args: [callback?: unknown]): unknown {
      const stale = lease.checkUse('end');
      return stale ? refuseQuery(stale, [undefined, args[0]]) : Reflect.apply(end, client, args);
    },
  };
  const read = memberReader();
  const face: PgClient = new Proxy(client, {
    // A holder may replace query and release (node-postgres documents it): on its own lease, not on the client.
    get: (target, key) => (Object.hasOwn(own, key) ? own[key] : read(target, key, face)),
    set(target, key, value) {
      if (Object.hasOwn(own, key)) own[key] = value;
      else Reflect.set(target, key, value, target);
      return true;
    },
  });
  return face;
}

/** Tells `error` in the style that the query was called in: through its callback, its promise or its submittable. */
export function refuseQuery(
  error: Error,
  [config, values, callback]: [config: unknown, values?: unknown, callback?: unknown],
): unknown {
  const done = [callback, values].find((candidate) => typeof candidate === 'function');
  const rejected = Promise.reject(error);
  if (done) {
    callBack(rejected, done as PgCallback);
    return undefined;
  }
  if (config == null || !isSubmittable(config)) return rejected;
  rejected.catch(() => (config as { handleError?(error: Error): void }).handleError?.(error));
  return config;
}
