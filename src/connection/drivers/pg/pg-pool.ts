import { bindContext, LinkedSet, postgresDialect } from '../../../core/index.js';
import type { AmbientScope } from '../../ambient-scope.js';
import { currentFrame } from '../../context.js';
import type { ConnectionState } from '../../driver-lease.js';
import { type Answer, DriverPool, type DriverPoolOptions, type DriverSession } from '../../driver-pool.js';
import type { ManualTransactions } from '../../hand-written.js';
import type { IdleLimits, PoolCounts } from '../../managed-pool.js';
import type { SettledOutcome } from '../../session.js';
import type { SharedTransaction, SharingOptions } from '../../shared-transaction.js';
import type { SideConnection, SideConnectionOptions } from '../../side-connection.js';
import { leaseClient, refuseQuery } from './pg-lease.js';
import { HandOver } from './hand-over.js';
import { PgSession } from './pg-session.js';
import { openPgBeside } from './pg-side-connection.js';
import { PgSharedTransaction } from './pg-shared-transaction.js';
import { PgTransactionClient } from './pg-transaction-client.js';
import { settleOutcome } from './settle-outcome.js';
import type { PgClient, PgConnectCallback, PgPool } from './pg-types.js';

/** A `pg.Pool` under management: its own `connect` and `query` are replaced on the instance, nothing else of it. */
export class PgManagedPool extends DriverPool<PgClient> {
  readonly dialect = postgresDialect;
  readonly #pool: PgPool;
  /** Refuse each transaction that waits for a connection. */
  readonly #waiting = new LinkedSet<(error: Error) => void>();
  readonly #connect: PgPool['connect'];
  readonly #query: PgPool['query'];
  /** True while pg-pool's own `query()` asks for its connection: it releases by itself and needs no lease object. */
  #selfReleasing = false;

  constructor(pool: PgPool, options: DriverPoolOptions) {
    super(options);
    this.#pool = pool;
    this.#connect = pool.connect;
    this.#query = pool.query;
    this.replace<PgPool>(pool, {
      connect: (callback) => this.#lendTo(callback),
      query: (config, values, callback) => this.#runQuery([config, values, callback]),
    });
  }

  get native(): object {
    return this.#pool;
  }

  get ended(): boolean {
    return this.#pool.ending;
  }

  counts(): PoolCounts {
    const { totalCount: total, idleCount: idle, waitingCount: pending, options } = this.#pool;
    return { max: options.max, total, idle, inUse: total - idle, pending };
  }

  /** pg-pool keeps every connection for its `idleTimeoutMillis`, and `min` of them for good. */
  get idleLimits(): IdleLimits {
    const { max, min = 0 } = this.#pool.options;
    return { min, max };
  }

  transactionClient(scope: AmbientScope, handWritten?: ManualTransactions): object {
    return new PgTransactionClient(this, this.#pool, { scope, handWritten }).asClient();
  }

  settle(transactionId: string): Promise<SettledOutcome> {
    return settleOutcome(this.#pool, this.clock, transactionId);
  }

  openBeside(options: SideConnectionOptions): Promise<SideConnection> {
    return openPgBeside(this.#pool, options);
  }

  share(options: SharingOptions): SharedTransaction {
    return new PgSharedTransaction(this, this.#pool, options);
  }

  protected ask(answer: Answer<PgClient>): void {
    void this.#connect.call(this.#pool, (error, client, giveBack) => {
      if (error || !client) return answer(error);
      answer(undefined, client, (destroyBecause) => {
        giveBack(destroyBecause);
        // pg-pool closes a client of its own accord as well: ended pool, maxUses, lost connection.
        return Boolean(destroyBecause) || client._ending === true || client._queryable === false;
      });
    });
  }

  protected openSession(client: PgClient, onRest: () => void): DriverSession {
    return new PgSession(client, { pool: this.#pool, clock: this.clock, onRest });
  }

  protected isInTransaction(client: PgClient): boolean {
    const status = client.getTransactionStatus?.();
    return status === 'T' || status === 'E';
  }

  protected inspect(client: PgClient): ConnectionState {
    const { bytesRead, bytesWritten } = client.connection.stream;
    return {
      running: !client.readyForQuery,
      // A session that the server has ended is in none.
      inTransaction: client._queryable !== false && this.isInTransaction(client),
      traffic: bytesRead === undefined ? undefined : bytesRead + (bytesWritten ?? 0),
      listening: client.listenerCount('notification') > 0 || client.listenerCount('notice') > 0,
    };
  }

  protected backendIdOf(client: PgClient): number | undefined {
    return client.processID ?? undefined;
  }

  protected isTimeout(error: Error): boolean {
    return error.message.startsWith('timeout exceeded when trying to connect');
  }

  protected override onWait(refuse: (error: Error) => void): () => void {
    if (this.#waiting.size === 0) this.#pool.on('remove', this.#refuseAtEnd);
    this.#waiting.add(refuse);
    return () => {
      if (this.#waiting.delete(refuse) && this.#waiting.size === 0)
        this.#pool.removeListener('remove', this.#refuseAtEnd);
    };
  }

  /** pg-pool serves nobody once it is ending, and leaves whoever waits waiting for ever. */
  readonly #refuseAtEnd = (): void => {
    if (!this.ended) return;
    for (const refuse of this.#waiting.values())
      refuse(new Error('the pool ended while it waited for a connection'));
  };

  #lendTo(callback: PgConnectCallback | undefined): Promise<PgClient> | undefined {
    if (this.#selfReleasing && callback) {
      this.#lendToQuery(callback);
      return undefined;
    }
    const result = this.#client();
    if (!callback) return this.#asPoolPromise(result);
    result.then(
      (client) => process.nextTick(callback, undefined, client, client.release),
      (error: Error) => process.nextTick(callback, error, undefined, () => {}),
    );
    return undefined;
  }

  async #client(): Promise<PgClient> {
    const scope = this.scope();
    if (scope)
      return new PgTransactionClient(this, this.#pool, { scope, loan: this.lendInTest(scope) }).connect();
    const { connection, lease, handOver } = await this.borrow(
      this.request('client', currentFrame()),
      ({ connection, lease }) => ({ connection, lease, handOver: new HandOver(connection) }),
    );
    const lost = handOver.complete();
    if (lost) {
      lease.release(lost);
      throw lost;
    }
    return leaseClient(connection, lease);
  }

  #runQuery(args: [config: unknown, values: unknown, callback: unknown]): unknown {
    const [config, values, callback] = args;
    // A function in place of the query is pg-pool's to refuse.
    if (typeof config !== 'function') {
      try {
        const scope = this.scope();
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
    if (!frame && this.isUnwatched) {
      void this.#connect.call(this.#pool, callback);
      return;
    }
    this.lend(this.request('query', frame), (error, lent) => {
      if (lent) {
        lent.connection.release = lent.lease.release;
        callback(undefined, lent.connection, lent.lease.release);
      } else callback(error, undefined, () => {});
    });
  }

  /** pg-pool makes its promises with the constructor of its option `Promise`. */
  #asPoolPromise<T>(result: T): T {
    const { Promise: Constructor } = this.#pool;
    if (!(result instanceof Promise) || Constructor === Promise) return result;
    return new Constructor((resolve, reject) => void result.then(resolve, reject)) as T;
  }
}

/** Binds a callback among a query's arguments to the caller's async context: pg-pool would call it in the releaser's. */
function bindLast(args: unknown[]): unknown[] {
  return args.map((arg) =>
    typeof arg === 'function' ? bindContext(arg as (...values: unknown[]) => unknown) : arg,
  );
}
