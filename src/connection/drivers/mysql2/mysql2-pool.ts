import { bindContext, getLogger, LinkedSet, mysqlDialect } from '../../../core/index.js';
import type { AmbientScope } from '../../ambient-scope.js';
import { currentFrame } from '../../context.js';
import type { ConnectionState } from '../../driver-lease.js';
import { type Answer, DriverPool, type DriverPoolOptions, type DriverSession } from '../../driver-pool.js';
import type { ManualTransactions } from '../../hand-written.js';
import type { IdleLimits, PoolCounts } from '../../managed-pool.js';
import type { SettledOutcome } from '../../session.js';
import type { SharedTransaction, SharingOptions } from '../../shared-transaction.js';
import type { SideConnection, SideConnectionOptions } from '../../side-connection.js';
import { leaseConnection, leaseOf } from './mysql2-lease.js';
import { isWorking, Mysql2Session } from './mysql2-session.js';
import { Mysql2SharedTransaction } from './mysql2-shared-transaction.js';
import { openMysql2Beside } from './mysql2-side-connection.js';
import { Mysql2TransactionConnection } from './mysql2-transaction-connection.js';
import type { MysqlCallback, MysqlCommand, MysqlConnection, MysqlPool } from './mysql2-types.js';
import { statusOf, watch } from './watch-connection.js';

type Callback = Parameters<MysqlPool['getConnection']>[0];

/** A pool of mysql2 under management: methods of the callback pool are replaced on the instance, which the promise pool goes through. */
export class Mysql2ManagedPool extends DriverPool<MysqlConnection> {
  readonly dialect = mysqlDialect;
  readonly native: object;
  readonly #pool: MysqlPool;
  readonly #original: Pick<MysqlPool, 'getConnection' | 'query' | 'execute' | 'releaseConnection'>;
  /** Requests that mysql2 has in its line. When a connection breaks it asks its own `getConnection` once more for one of them. */
  readonly #waiting = new LinkedSet<Callback>();
  /** Connections whose session commits by itself, as they were lent. */
  readonly #autocommit = new WeakSet<MysqlConnection>();
  /** True while mysql2's own `query()` or `execute()` asks for its connection: it releases by itself. */
  #selfReleasing = false;

  constructor(pool: MysqlPool, options: DriverPoolOptions & { native: object }) {
    super(options);
    this.native = options.native;
    this.#pool = pool;
    const { getConnection, query, execute, releaseConnection } = pool;
    this.#original = { getConnection, query, execute, releaseConnection };
    this.replace<MysqlPool>(pool, {
      getConnection: (callback) => this.#lendTo(callback),
      query: (...args) => this.#run('query', args) as MysqlCommand,
      execute: (...args) => void this.#run('execute', args),
      releaseConnection: (connection) => this.#takeBack(connection),
    });
  }

  get ended(): boolean {
    return this.#pool._closed;
  }

  counts(): PoolCounts {
    const { config, _allConnections, _freeConnections, _connectionQueue } = this.#pool;
    const total = _allConnections.length;
    const idle = _freeConnections.length;
    return {
      max: config.connectionLimit || Infinity,
      total,
      idle,
      inUse: total - idle,
      pending: _connectionQueue.length,
    };
  }

  get idleLimits(): IdleLimits {
    const { connectionLimit, maxIdle } = this.#pool.config;
    return { min: 0, max: maxIdle ?? (connectionLimit || Infinity) };
  }

  transactionClient(scope: AmbientScope, handWritten?: ManualTransactions): object {
    return new Mysql2TransactionConnection(this, this.#pool, { scope, handWritten }).asConnection();
  }

  /** MySQL cannot be asked what became of a transaction. */
  settle(): Promise<SettledOutcome> {
    return Promise.resolve('unknown');
  }

  openBeside(options: SideConnectionOptions): Promise<SideConnection> {
    return openMysql2Beside(this.#pool, options);
  }

  share(options: SharingOptions): SharedTransaction {
    return new Mysql2SharedTransaction(this, this.#pool, options);
  }

  protected ask(answer: Answer<MysqlConnection>): void {
    this.#askDriver((error, connection) => {
      if (error || !connection) answer(error ?? undefined);
      else answer(undefined, connection, (destroyBecause) => giveBack(connection, destroyBecause));
    });
  }

  protected openSession(connection: MysqlConnection, onRest: () => void): DriverSession {
    return new Mysql2Session(connection, { clock: this.clock, onRest });
  }

  protected isInTransaction(connection: MysqlConnection): boolean {
    return statusOf(connection).inTransaction;
  }

  protected inspect(connection: MysqlConnection): ConnectionState {
    const { bytesRead, bytesWritten } = connection.stream;
    return {
      running: isWorking(connection),
      inTransaction: this.isInTransaction(connection),
      traffic: bytesRead === undefined ? undefined : bytesRead + (bytesWritten ?? 0),
    };
  }

  protected backendIdOf(connection: MysqlConnection): number | undefined {
    return connection.threadId ?? undefined;
  }

  /** mysql2 waits for ever. */
  protected isTimeout(): boolean {
    return false;
  }

  #lendTo(callback: Callback): void {
    if (this.#waiting.has(callback)) {
      this.#original.getConnection.call(this.#pool, callback);
      return;
    }
    const frame = currentFrame();
    if (this.#selfReleasing && !frame && this.isUnwatched) {
      this.#askDriver(callback);
      return;
    }
    // mysql2 would call it in the releaser's async context.
    const bound = bindContext(callback);
    if (!this.#selfReleasing) {
      try {
        const scope = this.scope();
        if (scope) return this.#joinFor(scope, bound);
      } catch (error) {
        return process.nextTick(bound, error as Error);
      }
    }
    this.lend(this.request(this.#selfReleasing ? 'query' : 'client', frame), (error, lent) => {
      if (lent) bound(null, leaseConnection(lent.connection, lent.lease));
      else bound(error ?? null);
    });
  }

  #joinFor(scope: AmbientScope, callback: Callback): void {
    new Mysql2TransactionConnection(this, this.#pool, { scope }).connect(this.lendInTest(scope)).then(
      (connection) => process.nextTick(callback, null, connection),
      (error: Error) => process.nextTick(callback, error),
    );
  }

  #askDriver(callback: Callback): void {
    const answer: Callback = (error, connection) => {
      this.#waiting.delete(answer);
      if (connection && statusOf(connection).autocommit) this.#autocommit.add(connection);
      callback(error, connection);
    };
    this.#waiting.add(answer);
    this.#original.getConnection.call(this.#pool, answer);
  }

  #run(method: 'query' | 'execute', args: [sql: unknown, ...rest: unknown[]]): unknown {
    let scope: AmbientScope | undefined;
    try {
      scope = this.scope();
    } catch (error) {
      // A pool's query() throws for nobody who listens by a callback.
      const callback = args.findLast((arg) => typeof arg === 'function') as MysqlCallback | undefined;
      if (!callback) throw error;
      return process.nextTick(callback, error as Error);
    }
    if (scope) return new Mysql2TransactionConnection(this, this.#pool, { scope }).run(method, args);
    this.#selfReleasing = true;
    try {
      return (this.#original[method] as MysqlPool['query']).apply(this.#pool, args);
    } finally {
      this.#selfReleasing = false;
    }
  }

  /** Every connection that goes back comes by here. One that is still in a transaction would show it to its next holder. */
  #takeBack(connection: MysqlConnection): void {
    const lease = leaseOf(connection);
    if (lease) return lease.release();
    const left = connection._pool ? this.#leftOpen(connection) : undefined;
    if (!left) return this.#original.releaseConnection.call(this.#pool, connection);
    getLogger().warn(
      { pool: this.name, backendId: connection.threadId },
      `holdfast: closed a connection of pool "${this.name}" that was released ${left}`,
    );
    connection.destroy();
  }

  #leftOpen(connection: MysqlConnection): string | undefined {
    const { status, locks } = watch(connection);
    if (status.inTransaction) return 'inside a transaction; the server rolls back what was not committed';
    if (!status.autocommit && this.#autocommit.has(connection))
      return 'with autocommit off; the server rolls back what was not committed';
    return locks.left && `after ${locks.left}; the server ends the locks`;
  }
}

/** Answers whether the connection was closed: mysql2 does so by itself when it is lost. */
function giveBack(connection: MysqlConnection, destroyBecause: Error | boolean | undefined): boolean {
  if (destroyBecause) connection.destroy();
  else connection.release();
  return !connection._pool;
}
