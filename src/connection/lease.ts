import {
  CallSite,
  describeError,
  getLogger,
  invalid,
  LinkedSet,
  processGlobal,
  type Reader,
} from '../core/index.js';
import type { AppRequest } from './app-request.js';
import type { Frame } from './context.js';

/**
 * What a lease is for: one self-releasing `pool.query()`, a client handed to the caller, or a transaction.
 */
export type LeaseKind = 'query' | 'client' | 'transaction';

/** A request for a connection that found none free. */
export interface LeaseRequest {
  readonly pool: string;
  readonly kind: LeaseKind;
  /** The transaction that asks, where one does. */
  readonly holder: string | undefined;
  readonly frame: Frame | undefined;
  /** `Clock.now()` of the request, in milliseconds. */
  readonly requestedAt: number;
  /** Where it was asked for, where an observer wants that recorded. The stack is put into words when it is read. */
  readonly askedAt?: { readonly stack: string } | undefined;
  /** The application's request that it was asked for in (`openRequest`, `runInRequest`), where there is one. */
  readonly request?: AppRequest | undefined;
  /** Why it is held on purpose, where it is (`allowHeld`). */
  readonly allowed?: string | undefined;
  /** Where the application called an ORM that asks on a stack of its own. */
  readonly calledAt?: { readonly stack: string } | undefined;
}

/** A connection on loan. */
export interface LeaseInfo extends LeaseRequest {
  /** Unique in this process, rising. */
  readonly id: number;
  /** `Clock.now()` of the loan, in milliseconds. */
  readonly acquiredAt: number;
  /** `pg_stat_activity.pid` of the connection. */
  readonly backendId: number | undefined;
  /** Whether it is the first loan of its connection, which was opened for it. */
  readonly opened?: boolean;
  /** Whether the request had to wait for it, as far as somebody observed. */
  readonly waited?: boolean | undefined;
}

/** What a connection on loan is doing. */
export interface LeaseUsage {
  /** `Clock.now()` of the last statement that was sent, in milliseconds; of the loan where none was. */
  readonly lastUsedAt: number;
  /** The text of the last statement, without the values of its parameters; `undefined` where none was sent as a text. */
  readonly statement: string | undefined;
  /** Whether a statement runs. A cursor or stream that its reader does not read from runs as well: see `traffic`. */
  readonly running: boolean;
  /** Of a cursor or stream of pg or mysql2: the bytes that have passed over the connection, which move while it is read from. */
  readonly traffic: number | undefined;
  /** Whether the server said last that a transaction is open. */
  readonly inTransaction: boolean;
}

/** How a lease ended. */
export interface LeaseEnd {
  /**
   * Whether the connection came back inside a transaction, with nothing on its way that would end it. False where its
   * holder had it closed, as one does with a connection that is broken.
   */
  readonly inTransaction: boolean;
}

/**
 * Receives lease events. Every method is optional; one that throws is logged and never disturbs the pool.
 */
export interface LeaseObserver {
  /** True: no events of self-releasing `pool.query()` calls that need not wait. They stay as fast as without an observer. */
  readonly ignoresQueries?: boolean;
  /** Whether the next request is to record where it was made (`askedAt`): 5 to 20 µs each. Requests that wait do without being asked for where this method exists, up to 500 a second. */
  recordsCallSite?(kind: LeaseKind): boolean;
  /** No connection was free: the request waits. */
  wait?(request: LeaseRequest): void;
  /** The request got no connection: the driver or holdfast gave up, or the pool ended. */
  gaveUp?(request: LeaseRequest, error: Error): void;
  /** What to add to the error of a request that waited in vain: who holds the connections. One paragraph. */
  explain?(request: LeaseRequest): string | undefined;
  acquired?(lease: LeaseInfo): void;
  /** Nobody can release it any more: its holder was garbage-collected. Told of leases whose call site was recorded. */
  abandoned?(lease: LeaseInfo): void;
  /** The connection went back to the pool. */
  returned?(lease: LeaseInfo, end: LeaseEnd): void;
  /** The connection was closed instead of going back: mysql2's is where it comes back inside a transaction. */
  destroyed?(lease: LeaseInfo, reason: Error | undefined, end: LeaseEnd): void;
  /** A client was used, ended, or released once more, after its release. */
  lateUse?(lease: LeaseInfo, use: 'query' | 'end' | 'release'): void;
}

type EventName = Exclude<keyof LeaseObserver, 'ignoresQueries' | 'recordsCallSite' | 'explain'>;

const EVENTS: readonly (keyof LeaseObserver)[] = [
  'wait',
  'gaveUp',
  'acquired',
  'abandoned',
  'returned',
  'destroyed',
  'lateUse',
  'explain',
  'recordsCallSite',
];

/** Frames above the application's are an ORM's: it is at depth 0 to 18 where a client is handed out. */
const FRAMES = 30;
/** Behind a call of a Prisma model are more of them; a request that waits has the time. */
const FRAMES_OF_WAITING = 60;
/** A pool that is merely busy lets thousands wait for a moment each; one that is stuck is asked by fewer. */
const STACKS_OF_WAITING_PER_SECOND = 500;

/** A request on its way: what is learnt of it later is added. */
export interface OpenLeaseRequest extends LeaseRequest {
  askedAt?: CallSite | undefined;
  waited?: boolean;
}

const readObserver: Reader<LeaseObserver> = (value, path) => {
  const isHandler = (handler: unknown): boolean => handler === undefined || typeof handler === 'function';
  if (
    typeof value !== 'object' ||
    value === null ||
    !EVENTS.every((event) => isHandler((value as LeaseObserver)[event])) ||
    !['undefined', 'boolean'].includes(typeof (value as LeaseObserver).ignoresQueries)
  )
    throw invalid(
      path,
      value,
      `an object of functions among ${EVENTS.join(', ')}, and the flag ignoresQueries`,
    );
  return value;
};

/** The observers of one pool and the leases that are out. */
export class LeaseBook {
  readonly #observers = new Set<LeaseObserver>();
  readonly #out = new LinkedSet<LeaseInfo>();
  readonly #waiting = new LinkedSet<LeaseRequest>();
  #held: LeaseInfo[] | undefined;
  #watchesQueries = false;
  #recordsCallSites = false;
  #second = { began: -Infinity, stacks: 0 };

  /** False lets a hot path skip making event objects. */
  get observed(): boolean {
    return this.#observers.size > 0;
  }

  /** Whether the events of queries that release by themselves and need not wait are wanted. */
  get watchesQueries(): boolean {
    return this.#watchesQueries;
  }

  observe(observer: LeaseObserver): () => void {
    this.#observers.add(readObserver(observer, 'observe(observer)'));
    this.#learnWishes();
    return () => {
      this.#observers.delete(observer);
      this.#learnWishes();
    };
  }

  #learnWishes(): void {
    const observers = [...this.#observers];
    this.#watchesQueries = observers.some(({ ignoresQueries }) => ignoresQueries !== true);
    this.#recordsCallSites = observers.some((observer) => 'recordsCallSite' in observer);
  }

  /** Adds to a request what observers want to know of it. */
  describe(request: OpenLeaseRequest): void {
    if (request.kind === 'query' || !this.#recordsCallSites || !this.#wantsCallSite(request.kind)) return;
    request.askedAt = new CallSite(undefined, FRAMES);
  }

  #wantsCallSite(kind: LeaseKind): boolean {
    // Each is asked: they count what they have let go by.
    let wanted = false;
    for (const observer of this.#observers) {
      try {
        if (observer.recordsCallSite?.(kind)) wanted = true;
      } catch (error) {
        logThrown(error, 'recordsCallSite');
      }
    }
    return wanted;
  }

  /** A request begins to wait; the returned function says that it does no longer. */
  waits(request: OpenLeaseRequest): () => void {
    if (!this.observed) return () => {};
    if (this.#recordsCallSites && !request.askedAt && this.#hasStackLeft(request.requestedAt))
      request.askedAt = new CallSite(undefined, FRAMES_OF_WAITING);
    request.waited = true;
    this.#waiting.add(request);
    this.emit('wait', request);
    return () => void this.#waiting.delete(request);
  }

  #hasStackLeft(now: number): boolean {
    if (now - this.#second.began >= 1000) this.#second = { began: now, stacks: 0 };
    return this.#second.stacks++ < STACKS_OF_WAITING_PER_SECOND;
  }

  /** The requests that wait, oldest first. */
  waiting(): readonly LeaseRequest[] {
    return this.#waiting.values();
  }

  /** What observers say to a request that waited in vain. */
  explain(request: LeaseRequest): string[] {
    return [...this.#observers].flatMap((observer) => {
      try {
        return observer.explain?.(request) ?? [];
      } catch (error) {
        logThrown(error, 'explain');
        return [];
      }
    });
  }

  list(): readonly LeaseInfo[] {
    return this.#out.values();
  }

  opened(lease: LeaseInfo): void {
    if (lease.kind !== 'query') this.#out.add(lease);
    if (!this.observed) return;
    if (this.#held) this.#held.push(lease);
    else this.emit('acquired', lease);
  }

  /**
   * Holds `acquired` back until the returned function is called: a release lends the connection on before it
   * returns, and observers are told of the end of one lease before the begin of the next.
   */
  holdEvents(): () => void {
    if (!this.observed || this.#held) return () => {};
    const held: LeaseInfo[] = [];
    this.#held = held;
    return () => {
      this.#held = undefined;
      for (const lease of held) this.emit('acquired', lease);
    };
  }

  closed(lease: LeaseInfo, how: { destroyed: boolean; reason: Error | undefined; end: LeaseEnd }): void {
    this.#out.delete(lease);
    if (!this.observed) return;
    if (how.destroyed) this.emit('destroyed', lease, how.reason, how.end);
    else this.emit('returned', lease, how.end);
  }

  emit<E extends EventName>(event: E, ...args: Parameters<NonNullable<LeaseObserver[E]>>): void {
    const [{ kind, waited }] = args as readonly [Pick<LeaseInfo, 'kind' | 'waited'>];
    const isQuiet = kind === 'query' && !waited;
    for (const observer of this.#observers) {
      if (isQuiet && observer.ignoresQueries) continue;
      try {
        (observer[event] as ((...values: unknown[]) => void) | undefined)?.apply(observer, args);
      } catch (error) {
        logThrown(error, event);
      }
    }
  }
}

function logThrown(error: unknown, event: keyof LeaseObserver): void {
  getLogger().error(
    { error: describeError(error), event },
    'holdfast: a lease observer threw; the pool goes on without it',
  );
}

const counter = processGlobal('holdfast.lease-counter/1', () => ({ next: 1 }));

/** The next lease id of this process. */
export function nextLeaseId(): number {
  return counter.next++;
}
