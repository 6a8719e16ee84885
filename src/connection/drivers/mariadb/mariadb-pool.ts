import { getLogger, mysqlDialect } from '../../../core/index.js';
import type { AmbientScope } from '../../ambient-scope.js';
import { currentFrame } from '../../context.js';
import type { ConnectionState } from '../../driver-lease.js';
import { type Answer, DriverPool, type DriverPoolOptions, type DriverSession } from '../../driver-pool.js';
import type { ManualTransactions } from '../../hand-written.js';
import { UnsupportedDriverError } from '../../errors.js';
import type { PoolCounts } from '../../managed-pool.js';
import type { SettledOutcome } from '../../session.js';
import type { SharedTransaction, SharingOptions } from '../../shared-transaction.js';
import type { SideConnection, SideConnectionOptions } from '../../side-connection.js';
import { type CutOff, cutOffIn } from './mariadb-cut-off.js';
import { mayLock } from '../mysql/session-locks.js';
import { leaseConnection, textOf } from './mariadb-lease.js';
import { MariadbSharedTransaction } from './mariadb-shared-transaction.js';
import { locksLeftOn, MariadbSession, noteLocks, statusOf } from './mariadb-session.js';
import { keepMariadbConnection } from './mariadb-side-connection.js';
import { MariadbTransactionConnection } from './mariadb-transaction-connection.js';
import type { MariadbConnection, MariadbPool, MariadbSql } from './mariadb-types.js';

type Method = 'query' | 'execute' | 'batch';
type Original = Pick<MariadbPool, 'getConnection' | 'end' | Method>;

/** How long the end of the pool waits for what still runs in a shared transaction. */
const END_GRACE_MS = 1000;

/** A pool of the mariadb connector under management: its own methods are replaced on the instance, nothing else of it. */
export class MariadbManagedPool extends DriverPool<MariadbConnection> {
  readonly dialect = mysqlDialect;
  readonly #pool: MariadbPool;
  readonly #original: Original;
  readonly #max: number;
  readonly #cutOff: CutOff;
  #sharedTransaction: SharedTransaction | undefined;
  readonly #kept = new Set<SideConnection>();

  constructor(
    pool: MariadbPool,
    options: DriverPoolOptions & { readonly connectionLimit: number | undefined },
  ) {
    super(options);
    this.#pool = pool;
    this.#max = options.connectionLimit ?? Infinity;
    const { getConnection, query, execute, batch, end } = pool;
    this.#original = { getConnection, query, execute, batch, end };
    this.#cutOff = cutOffIn(pool, getConnection);
    this.replace<MariadbPool>(pool, {
      getConnection: () => this.#getConnection(),
      query: (...args) => this.#run('query', args),
      execute: (...args) => this.#run('execute', args),
      batch: (...args) => this.#run('batch', args),
      end: () => this.#end(),
    });
  }

  get native(): object {
    return this.#pool;
  }

  get ended(): boolean {
    return this.#pool.closed;
  }

  /** The connector keeps its connectionLimit to itself: `max` is what `managePool` was told. */
  counts(): PoolCounts {
    return {
      max: this.#max,
      total: this.#pool.totalConnections(),
      idle: this.#pool.idleConnections(),
      inUse: this.#pool.activeConnections(),
      pending: this.#pool.taskQueueSize(),
    };
  }

  transactionClient(scope: AmbientScope, handWritten?: ManualTransactions): object {
    return new MariadbTransactionConnection(this, scope, handWritten).asConnection();
  }

  /** MariaDB cannot be asked what became of a transaction. */
  settle(): Promise<SettledOutcome> {
    return Promise.resolve('unknown');
  }

  async openBeside(options: SideConnectionOptions): Promise<SideConnection> {
    if (this.#max === 1) {
      throw new UnsupportedDriverError(
        `Pool "${this.name}" has one connection and none to spare, and the mariadb connector opens none beside its pool. Give the monitor a pool of its own.`,
      );
    }
    const side = await keepMariadbConnection(this.#pool, this.#original.getConnection, options);
    for (const kept of this.#kept) if (!kept.isAlive) this.#kept.delete(kept);
    this.#kept.add(side);
    return side;
  }

  share(options: SharingOptions): SharedTransaction {
    const pool = { instance: this.#pool, original: this.#original };
    return (this.#sharedTransaction = new MariadbSharedTransaction(this, pool, options));
  }

  protected ask(answer: Answer<MariadbConnection>): void {
    this.#original.getConnection.call(this.#pool).then(
      (connection) =>
        answer(undefined, connection, (reason, isRunning) =>
          this.#giveBack(connection, { reason, isRunning }),
        ),
      (error: Error) => answer(error),
    );
  }

  protected override mustWait(): boolean {
    if (this.#max !== Infinity) return super.mustWait();
    return this.#pool.idleConnections() <= this.#pool.taskQueueSize();
  }

  protected openSession(connection: MariadbConnection, onRest: () => void): DriverSession {
    return new MariadbSession(connection, { onRest, cutOff: this.#cutOff });
  }

  protected isInTransaction(connection: MariadbConnection): boolean {
    return statusOf(connection).inTransaction;
  }

  /** The connector keeps what runs, and its socket, to itself: a lease counts its own statements. */
  protected inspect(connection: MariadbConnection): ConnectionState {
    return { running: false, inTransaction: this.isInTransaction(connection) };
  }

  protected backendIdOf(connection: MariadbConnection): number | undefined {
    return connection.threadId ?? undefined;
  }

  /** The connector makes a new object for each loan. */
  protected override physicalOf({ info }: MariadbConnection): object {
    return info;
  }

  protected isTimeout(error: Error): boolean {
    return (error as { code?: unknown }).code === 'ER_GET_CONNECTION_TIMEOUT';
  }

  /**
   * The connector waits for each connection that is out: a shared transaction has one until its test is over, and whoever
   * looks at the server has one for good.
   */
  async #end(): Promise<void> {
    await this.#sharedTransaction?.end(END_GRACE_MS);
    for (const kept of this.#kept) kept.destroy();
    await this.#original.end.call(this.#pool);
  }

  async #getConnection(): Promise<MariadbConnection> {
    const scope = this.scope();
    if (scope) return new MariadbTransactionConnection(this, scope).connect(this.lendInTest(scope));
    return this.borrow(this.request('client', currentFrame()), ({ connection, lease }) =>
      leaseConnection(connection, lease),
    );
  }

  async #run(method: Method, args: [MariadbSql, unknown?]): Promise<unknown> {
    const scope = this.scope();
    if (scope) return new MariadbTransactionConnection(this, scope).run(method, args);
    const frame = currentFrame();
    const text = textOf(args[0]);
    // What the connector's own pool sends on its connection is not seen here.
    const locks = text !== undefined && mayLock(text);
    if (!frame && this.isUnwatched && !locks) return this.#original[method].apply(this.#pool, args);
    const { connection, lease } = await this.borrow(this.request('query', frame), (lent) => lent);
    try {
      if (locks) noteLocks(connection, text);
      return await connection[method](...args);
    } finally {
      lease.release();
    }
  }

  /** Answers whether the connection was closed. Its release rolls back what was left open. */
  #giveBack(
    connection: MariadbConnection,
    {
      reason: asked,
      isRunning,
    }: { readonly reason: Error | boolean | undefined; readonly isRunning: boolean | undefined },
  ): boolean {
    const reason = asked || this.#leftLocked(connection);
    const closed = Boolean(reason) || !connection.isValid();
    if (!reason) connection.release().catch(() => {});
    else if (isRunning)
      this.#cutOff(connection, reason instanceof Error ? reason : new Error('it was closed'));
    else connection.destroy();
    return closed;
  }

  #leftLocked(connection: MariadbConnection): Error | undefined {
    const left = locksLeftOn(connection);
    if (!left) return undefined;
    getLogger().warn(
      { pool: this.name, backendId: connection.threadId },
      `holdfast: closed a connection of pool "${this.name}" that was released after ${left}; the server ends the locks`,
    );
    return new Error(`it was released after ${left}`);
  }
}
