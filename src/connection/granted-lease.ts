import type { DriverLease } from './driver-lease.js';
import type { TransactionHolder, TransactionLease } from './managed-pool.js';
import type { NextInLine, Session } from './session.js';
import { type Holder, type WaitedPool, waitGraph } from './wait-graph.js';

/** A {@link Session} that listens to its connection until its lease ends. */
export interface DriverSession extends Session {
  /** Whether a statement runs that ends by itself: a stream waits for its reader. */
  readonly isRunning: boolean;
  /** Why a connection that still works is closed all the same when its transaction ends. */
  readonly distrusted?: Error | undefined;
  detach(): void;
}

/** A connection, its lease, and what a transaction sees of it. */
export interface Granted<C extends object> {
  readonly connection: C;
  readonly lease: DriverLease<C>;
  readonly session: DriverSession;
}

/** What the pool says of its line. */
export interface Line<C> extends WaitedPool {
  /** Whether the first in line may have the connection while COMMIT is on its way on it. */
  lendsBehindCommit(connection: C): boolean;
}

/** A connection that a transaction holds: until the transaction ends, or the next one in line has it. */
export class GrantedLease<C extends object> implements TransactionLease, NextInLine {
  readonly info: DriverLease<C>;
  readonly session: DriverSession;
  readonly #line: Line<C>;
  readonly #connection: C;
  readonly #holder: Holder;
  #passedOn = false;

  constructor(line: Line<C>, { connection, lease, session }: Granted<C>, { name, frame }: TransactionHolder) {
    this.info = lease;
    this.session = session;
    this.#line = line;
    this.#connection = connection;
    this.#holder = { name, frame, pool: line, isBusy: () => session.isRunning };
    session.lease = lease;
    lease.session = session;
    waitGraph.granted(this.#holder);
  }

  get passedOn(): boolean {
    return this.#passedOn;
  }

  next(): NextInLine | undefined {
    const { lost, distrusted } = this.session;
    if (lost || distrusted || this.info.reclaimed) return undefined;
    return this.#line.lendsBehindCommit(this.#connection) ? this : undefined;
  }

  lend(): void {
    this.#passedOn = true;
    waitGraph.returned(this.#holder);
    this.info.release();
  }

  end(destroyBecause?: Error): void {
    const { session } = this;
    // It could not be given back without the COMMIT that is still on its way.
    if (session.behind) void session.behind.then(() => this.#end(destroyBecause));
    else this.#end(destroyBecause);
  }

  #end(destroyBecause: Error | undefined): void {
    this.session.detach();
    if (this.#passedOn) return;
    waitGraph.returned(this.#holder);
    this.info.release(destroyBecause ?? this.session.distrusted);
  }
}
