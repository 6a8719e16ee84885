import { describeError, getLogger, invalid, processGlobal, type Reader } from '../core/index.js';
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
}

/** A connection on loan. */
export interface LeaseInfo extends LeaseRequest {
  /** Unique in this process, rising. */
  readonly id: number;
  /** `Clock.now()` of the loan, in milliseconds. */
  readonly acquiredAt: number;
  /** `pg_stat_activity.pid` of the connection. */
  readonly backendId: number | undefined;
}

/**
 * Receives lease events. Every method is optional; one that throws is logged and never disturbs the pool.
 */
export interface LeaseObserver {
  /** No connection was free: the request waits. */
  wait?(request: LeaseRequest): void;
  acquired?(lease: LeaseInfo): void;
  /** The connection went back to the pool. */
  returned?(lease: LeaseInfo): void;
  /** The connection was closed instead of going back. */
  destroyed?(lease: LeaseInfo, reason: Error | undefined): void;
  /** A client was used, ended, or released once more, after its release. */
  lateUse?(lease: LeaseInfo, use: 'query' | 'end' | 'release'): void;
}

type EventName = keyof LeaseObserver;

const EVENTS: readonly EventName[] = ['wait', 'acquired', 'returned', 'destroyed', 'lateUse'];

const readObserver: Reader<LeaseObserver> = (value, path) => {
  const isHandler = (handler: unknown): boolean => handler === undefined || typeof handler === 'function';
  if (
    typeof value !== 'object' ||
    value === null ||
    !EVENTS.every((event) => isHandler((value as LeaseObserver)[event]))
  )
    throw invalid(path, value, `an object of functions among ${EVENTS.join(', ')}`);
  return value;
};

/** The observers of one pool and the leases that are out. */
export class LeaseBook {
  readonly #observers = new Set<LeaseObserver>();
  readonly #out = new Set<LeaseInfo>();
  #held: LeaseInfo[] | undefined;

  /** False lets a hot path skip making event objects. */
  get observed(): boolean {
    return this.#observers.size > 0;
  }

  observe(observer: LeaseObserver): () => void {
    this.#observers.add(readObserver(observer, 'observe(observer)'));
    return () => void this.#observers.delete(observer);
  }

  list(): readonly LeaseInfo[] {
    return [...this.#out];
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

  closed(lease: LeaseInfo, destroyed: boolean, reason?: Error): void {
    this.#out.delete(lease);
    if (!this.observed) return;
    if (destroyed) this.emit('destroyed', lease, reason);
    else this.emit('returned', lease);
  }

  emit<E extends EventName>(event: E, ...args: Parameters<NonNullable<LeaseObserver[E]>>): void {
    for (const observer of this.#observers) {
      try {
        (observer[event] as ((...values: unknown[]) => void) | undefined)?.apply(observer, args);
      } catch (error) {
        getLogger().error(
          { error: describeError(error), event },
          'holdfast: a lease observer threw; the pool goes on without it',
        );
      }
    }
  }
}

const counter = processGlobal('holdfast.lease-counter/1', () => ({ next: 1 }));

/** The next lease id of this process. */
export function nextLeaseId(): number {
  return counter.next++;
}
