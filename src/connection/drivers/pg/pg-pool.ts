import { AsyncResource } from 'node:async_hooks';
import { type Clock, getLogger, messageOf, postgresDialect } from '../../../core/index.js';
import type { AmbientScope } from '../../ambient-scope.js';
import { currentFrame, type Frame, runInFrame, scopeOnPool } from '../../context.js';
import { AcquireTimeoutError, ConnectionLostError, PoolEndedError } from '../../errors.js';
import type { ManualTransactions } from '../../hand-written.js';
import { LeaseBook, type LeaseInfo, type LeaseKind, type LeaseObserver } from '../../lease.js';
import type {
  ManagedPool,
  ManagedSource,
  PoolCounts,
  TransactionHolder,
  TransactionLease,
} from '../../managed-pool.js';
import type { SettledOutcome } from '../../session.js';
import type { SharedTransaction, SharingOptions } from '../../shared-transaction.js';
import { currentSharing } from '../../sharing.js';
import { type WaitedPool, waitGraph } from '../../wait-graph.js';
import { type CurrentLeases, leaseClient, PgLease, type PgRequest, refuseQuery } from './pg-lease.js';
import { PgSession } from './pg-session.js';
import { PgSharedTransaction } from './pg-shared-transaction.js';
import { PgTransactionClient } from './pg-transaction-client.js';
import { settleOutcome } from './settle-outcome.js';
import type { PgClient, PgConnectCallback, PgPool, PgRelease } from './pg-types.js';

const OWN = ['connect', 'query'] as const;
interface Loan {
  readonly client: PgClient;
  readonly lease: PgLease;
}

/** A `pg.Pool` under management: its own `connect` and `query` are replaced on the instance, nothing else of it. */
export class PgManagedPool implements ManagedPool, WaitedPool {
  readonly dialect = postgresDialect;
  readonly clock: Clock;
  readonly #pool: PgPool;
  readonly #book = new LeaseBook();
  readonly #current: CurrentLeases = new WeakMap();
  /** Refuse each transaction that waits for a connection. */
  readonly #waiting = new Set<(error: Error) => void>();
  readonly #connect: PgPool['connect'];
  readonly #query: PgPool['query'];
  readonly #own: Pick<PgPool, 'connect' | 'query'>;
  /** Own properties of the instance that ours stand in for; most pools have them on their prototype. */
  readonly #before: Partial<Record<keyof PgPool, PropertyDescriptor | undefined>> = {};
  readonly #onUnwrap: () => void;
  #name: string;
  #source: ManagedSource | undefined;
  #unwrapped = false;
  /** True while pg-pool's own `query()` asks for its connection: it releases by itself and needs no lease object. */
  #selfReleasing = false;

  constructor(pool: PgPool, { name, clock, onUnwrap }: { name: string; clock: Clock; onUnwrap: () => void }) {
    this.#onUnwrap = onUnwrap;
    this.#name = name;
    this.#pool = pool;
    this.clock = clock;
    this.#connect = pool.connect;
    this.#query = pool.query;
    this.#own = {
      connect: (callback) => this.#lendTo(callback),
      query: (config, values, callback) => this.#runQuery([config, values, callback]),
    };
    for (const key of OWN) {
      this.#before[key] = Object.getOwnPropertyDescriptor(pool, key);
      Object.defineProperty(pool, key, { value: this.#own[key], configurable: true, writable: true });
    }
  }

  get name(): string {
    return this.#name;
  }

  get native(): object {
    return this.#pool;
  }

  get ended(): boolean {
    return this.#pool.ending;
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
  }

  counts(): PoolCounts {
    const { totalCount: total, idleCount: idle, waitingCount: pending, options } = this.#pool;
    return { max: options.max, total, idle, inUse: total - idle, pending };
  }

  leases(): readonly LeaseInfo[] {
    return this.#book.list();
  }

  isFilledBy(connections: number): boolean {
    const { totalCount, options } = this.#pool;
    return totalCount >= options.max && connections >= totalCount;
  }

  observe(observer: LeaseObserver): () => void {
    return this.#book.observe(observer);
  }

  transactionClient(scope: AmbientScope, handWritten?: ManualTransactions): object {
    return new PgTransactionClient(this, this.#pool, { scope, handWritten }).asClient();
  }

  async acquire(holder: TransactionHolder): Promise<TransactionLease> {
    const shared = this.#shared();
    if (shared) return shared.acquire(holder);
    const borrow = (): Promise<Loan> => this.#borrow(this.#request('transaction', holder.frame, holder.name));
    let loan: Loan;
    try {
      loan = await borrow();
      for (let tries = this.#pool.options.max; isInTransaction(loan.client); tries--) {
        this.#discard(loan.lease, tries);
        loan = await borrow();
      }
    } catch (error) {
      throw this.#explain(error, holder);
    }
    const { client, lease } = loan;
    const session = new PgSession(client, {
      pool: this.#pool,
      clock: this.clock,
      onRest: waitGraph.reconsider,
    });
    waitGraph.granted({ ...holder, pool: this, isBusy: () => session.isRunning });
    return {
      info: lease,
      session,
      end: (destroyBecause) => {
        waitGraph.returned(holder.frame);
        session.detach();
        lease.release(destroyBecause);
      },
    };
  }

  settle(transactionId: string): Promise<SettledOutcome> {
    return settleOutcome(this.#pool, this.clock, transactionId);
  }

  share(options: SharingOptions): SharedTransaction {
    return new PgSharedTransaction(this, this.#pool, { ...options, clock: this.clock });
  }

  unwrap(): void {
    if (this.#unwrapped) return;
    this.#unwrapped = true;
    for (const key of OWN) {
      // Whoever wrapped ours keeps calling it; from now on it is outside every transaction.
      if (this.#pool[key] !== this.#own[key]) continue;
      const before = this.#before[key];
      if (before) Object.defineProperty(this.#pool, key, before);
      else Reflect.deleteProperty(this.#pool, key);
    }
    this.#onUnwrap();
  }

  /** What its last holder left open on a connection would be committed together with the next transaction. */
  #discard(lease: PgLease, triesLeft: number): void {
    const reason = new ConnectionLostError(
      `A connection of pool "${this.name}" (pid ${lease.backendId ?? 'unknown'}) was given back inside a transaction and is closed. ` +
        'Look for a BEGIN outside of holdfast, on a client of this pool, without its COMMIT or ROLLBACK.',
      { retryable: true },
    );
    lease.release(reason);
    // Each try has closed one: those that come now are opened like that.
    if (triesLeft === 0) throw reason;
    getLogger().warn({ pool: this.name, transaction: lease.holder }, `holdfast: ${reason.message}`);
  }

  #lendTo(callback: PgConnectCallback | undefined): Promise<PgClient> | undefined {
    if (this.#selfReleasing && callback) {
      this.#lendToQuery(callback);
      return undefined;
    }
    const result = this.#client();
    if (!callback) return this.#asPoolPromise(result);
    const bound = AsyncResource.bind(callback);
    result.then(
      (client) => process.nextTick(bound, undefined, client, client.release),
      (error: Error) => process.nextTick(bound, error, undefined, () => {}),
    );
    return undefined;
  }

  async #client(): Promise<PgClient> {
    const scope = this.#scope();
    if (scope) return new PgTransactionClient(this, this.#pool, { scope }).connect();
    const { client, lease } = await this.#borrow(this.#request('client', currentFrame()));
    return leaseClient(client, lease);
  }

  #runQuery(args: [config: unknown, values: unknown, callback: unknown]): unknown {
    const [config, values, callback] = args;
    // A function in place of the query is pg-pool's to refuse.
    if (typeof config !== 'function') {
      try {
        const scope = this.#scope();
        if (scope) {
          return this.#asPoolPromise(new PgTransactionClient(this, this.#pool, { scope }).query(...args));
        }
      } catch (error) {
        // A client throws for a query that it cannot read; a pool's query() never throws.
        return this.#asPoolPromise(refuseQuery(error as Error, args));
      }
    }
    this.#selfReleasing = true;
    try {
      return this.#query.call(this.#pool, config, ...bindLast([values, callback]));
    } finally {
      this.#selfReleasing = false;
    }
  }

  #lendToQuery(callback: PgConnectCallback): void {
    const frame = currentFrame();
    // Only a frame can make this request part of a self-deadlock, and only an observer wants its events.
    if (!frame && !this.#book.observed) {
      void this.#connect.call(this.#pool, callback);
      return;
    }
    this.#lend(this.#request('query', frame), (error, loan) => {
      if (loan) {
        loan.client.release = loan.lease.release;
        callback(undefined, loan.client, loan.lease.release);
      } else callback(error, undefined, () => {});
    });
  }

  /** pg-pool makes its promises with the constructor of its option `Promise`. */
  #asPoolPromise<T>(result: T): T {
    const { Promise: Constructor } = this.#pool;
    if (!(result instanceof Promise) || Constructor === Promise) return result;
    return new Constructor((resolve, reject) => void result.then(resolve, reject)) as T;
  }

  /** A pool that serves no data source yet is outside every transaction. */
  #scope(): AmbientScope | undefined {
    if (!this.#source || this.#unwrapped) return undefined;
    return scopeOnPool(this.#source) ?? this.#shared()?.session(currentFrame());
  }

  /** The transaction that a test runs in. A pool that has ended says so itself. */
  #shared(): SharedTransaction | undefined {
    return this.ended ? undefined : currentSharing()?.of(this.source);
  }

  #request(kind: LeaseKind, frame: Frame | undefined, holder?: string): PgRequest {
    return { kind, frame, holder, requestedAt: this.clock.now() };
  }

  #borrow(request: PgRequest): Promise<Loan> {
    return new Promise((resolve, reject) => {
      this.#lend(request, (error, loan) => (loan ? resolve(loan) : reject(error as Error)));
    });
  }

  #lend(request: PgRequest, done: (error: Error | undefined, loan?: Loan) => void): void {
    let refused = false;
    const refuse = (error: Error): void => {
      refused = true;
      stopWaiting?.();
      done(error);
    };
    const stopWaiting = this.#mustWait() ? this.#wait(request, refuse) : undefined;
    const lend = (error: Error | undefined, client: PgClient | undefined, giveBack: PgRelease): void => {
      // Whoever is refused still stands in pg-pool's line.
      if (refused) return giveBack?.();
      stopWaiting?.();
      if (error || !client) done(error ?? new Error('the pool lent no client'));
      else done(undefined, { client, lease: this.#open(request, client, giveBack) });
    };
    // A connection that is opened here outlives this call; its socket must not keep this call's context.
    void runInFrame(undefined, () => this.#connect.call(this.#pool, lend));
  }

  /** Notes a request that waits; the returned function says that it does no longer. */
  #wait(request: PgRequest, refuse: (error: Error) => void): () => void {
    if (this.#book.observed) this.#book.emit('wait', { pool: this.name, ...request });
    const isTransaction = request.kind === 'transaction';
    // A transaction that is begun in none holds nobody up while it waits: it stays out of the graph, whose judgement
    // costs as much as there are waiters.
    const around = isTransaction ? request.frame?.parent : request.frame;
    const describe = request.holder ? `"${request.holder}"` : 'A statement outside the transaction';
    const leaveGraph = around && waitGraph.waiting({ frame: around, pool: this, describe, refuse });
    if (isTransaction && this.#waiting.size === 0) this.#pool.on('remove', this.#refuseAtEnd);
    if (isTransaction) this.#waiting.add(refuse);
    return () => {
      leaveGraph?.();
      if (this.#waiting.delete(refuse) && this.#waiting.size === 0)
        this.#pool.removeListener('remove', this.#refuseAtEnd);
    };
  }

  /** pg-pool serves nobody once it is ending, and leaves whoever waits waiting for ever. */
  readonly #refuseAtEnd = (): void => {
    if (!this.ended) return;
    for (const refuse of this.#waiting) refuse(new Error('the pool ended while it waited for a connection'));
  };

  #open(request: PgRequest, client: PgClient, giveBack: PgRelease): PgLease {
    const loan = { pool: this.name, client, giveBack, now: this.clock.now() };
    return new PgLease(request, loan, { book: this.#book, current: this.#current });
  }

  /** pg-pool hands an idle connection over on the next tick: until then it counts as idle, and its taker as waiting. */
  #mustWait(): boolean {
    const { totalCount, idleCount, waitingCount, options } = this.#pool;
    return idleCount + options.max - totalCount <= waitingCount;
  }

  #explain(error: unknown, holder: TransactionHolder): unknown {
    if (this.ended) {
      return new PoolEndedError(
        `"${holder.name}" needs a connection of pool "${this.name}", which has ended.`,
        { cause: error },
      );
    }
    if (!(error instanceof Error) || !error.message.startsWith('timeout exceeded when trying to connect'))
      return error;
    const { max, inUse, idle, pending } = this.counts();
    return new AcquireTimeoutError(
      `"${holder.name}" got no connection of pool "${this.name}" in time: ${messageOf(error)}. ` +
        `In use ${inUse} of ${max}, idle ${idle}, pending ${pending}. Look for what holds the connections, or raise the pool's max.`,
      { cause: error, retryable: true },
    );
  }
}

function isInTransaction(client: PgClient): boolean {
  const status = client.getTransactionStatus?.();
  return status === 'T' || status === 'E';
}

/** Binds a callback among a query's arguments to the caller's async context: pg-pool would call it in the releaser's. */
function bindLast(args: unknown[]): unknown[] {
  return args.map((arg) =>
    typeof arg === 'function' ? AsyncResource.bind(arg as (...values: unknown[]) => unknown) : arg,
  );
}
