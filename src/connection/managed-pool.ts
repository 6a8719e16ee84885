import type { Clock, Dialect } from '../core/index.js';
import type { AmbientScope } from './ambient-scope.js';
import type { Frame } from './context.js';
import type { ManualTransactions } from './hand-written.js';
import type { LeaseReclaimedError } from './errors.js';
import type { LeaseInfo, LeaseObserver, LeaseRequest, LeaseUsage } from './lease.js';
import type { SharedTransaction, SharingOptions } from './shared-transaction.js';
import type { SideConnection, SideConnectionOptions } from './side-connection.js';
import type { Session, SettledOutcome } from './session.js';

/** Counts of a pool at one moment. `inUse` includes connections that are being opened. */
export interface PoolCounts {
  readonly max: number;
  readonly total: number;
  readonly inUse: number;
  readonly idle: number;
  /** Requests that wait for a connection. */
  readonly pending: number;
}

/** How many connections a pool keeps open without use. */
export interface IdleLimits {
  /** It closes none of these. */
  readonly min: number;
  /** It keeps no more than these: the others are closed when they have not been used for a while, or come back. */
  readonly max: number;
}

/** A connection that a transaction holds. */
export interface TransactionLease {
  readonly info: LeaseInfo;
  readonly session: Session;
  /** Gives the connection back; with a reason it is destroyed instead. */
  end(destroyBecause?: Error): void;
}

/** Who asks for a connection on behalf of a transaction. */
export interface TransactionHolder {
  readonly name: string;
  /** The frame that the transaction was opened in, with the transaction itself on top. */
  readonly frame: Frame;
}

/** A driver pool under holdfast's management, whichever driver it is of. */
export interface ManagedPool {
  readonly name: string;
  /** The driver's own pool, as it was given: for `pg` a `Pool`. Inside a transaction it lends the transaction's connection. */
  readonly native: object;
  readonly dialect: Dialect;
  /** Where its leases take their times from. */
  readonly clock: Clock;
  /** How long a request may wait for a connection, in milliseconds; `undefined`: as long as the driver lets it. */
  readonly acquireTimeoutMs?: number | undefined;
  /** The data source that the pool serves, as its primary or as a replica. */
  readonly source: ManagedSource;
  /** Whether the pool serves a data source yet. */
  readonly serving: boolean;
  /** Whether the pool was ended. */
  readonly ended: boolean;
  counts(): PoolCounts;
  /** Absent where the driver keeps its limits to itself. */
  readonly idleLimits?: IdleLimits;
  /** The leases that are out now, oldest first, except those of a single self-releasing `pool.query()`. */
  leases(): readonly LeaseInfo[];
  /** The requests that wait for a connection, oldest first, as far as they began to wait while somebody observed. */
  waiting(): readonly LeaseRequest[];
  /** What the connection of a lease of this pool is doing; `undefined` where that is not known. */
  usage(lease: LeaseInfo): LeaseUsage | undefined;
  /**
   * Takes a lease of this pool back: what runs is cancelled, the connection closed, and its holder's next use fails with
   * `reason`. A transaction is rolled back and its caller gets `reason`. Resolves once that is done. Never rejects.
   */
  reclaim(lease: LeaseInfo, reason: LeaseReclaimedError): Promise<void>;
  /** Whether anybody observes it. */
  readonly observed: boolean;
  /** Calls `observer` at each lease event until the returned function is called. Throws `InvalidOptionsError` for what is no observer. */
  observe(observer: LeaseObserver): () => void;
  /** Borrows a connection for a transaction. */
  acquire(holder: TransactionHolder): Promise<TransactionLease>;
  /**
   * A client of the driver's own kind whose statements run in `scope`'s transaction. Borrows nothing until its first
   * statement. `handWritten` holds the transactions that are begun by hand on it, where somebody else ends them.
   */
  transactionClient(scope: AmbientScope, handWritten?: ManualTransactions): object;
  /** Asks the server, over another connection, what became of a transaction. Never rejects. */
  settle(transactionId: string): Promise<SettledOutcome>;
  /**
   * Opens a connection to the pool's server that the pool does not count, with the pool's own options; with the mariadb
   * connector it is one of the pool's (`isOfPool`). Rejects with the driver's error. Absent where there is no server.
   */
  openBeside?(options: SideConnectionOptions): Promise<SideConnection>;
  /** Opens, at its first use, the transaction that all who ask the data source for a connection share. Absent where the driver has none. */
  share?(options: SharingOptions): SharedTransaction;
  /** Makes the pool part of a data source, under a name of its own. */
  serve(source: ManagedSource, name: string): void;
  /** Takes the management off the pool instance. */
  unwrap(): void;
}

/** A step of a transaction: what its data source is told, where it wants to be. */
export interface TransactionStep {
  readonly step:
    | 'begin'
    | 'commit'
    | 'rollback'
    | 'savepoint'
    | 'release savepoint'
    | 'rollback to savepoint'
    | 'before commit'
    | 'after commit'
    | 'after rollback'
    | 'after completion';
  /** The method that opened the transaction, or the savepoint. */
  readonly name: string;
}

/** A named database: one primary pool, and read replicas where there are any. */
export interface ManagedSource {
  readonly name: string;
  readonly primary: ManagedPool;
  readonly replicas: ManagedPool[];
  /** Hears of every step of its transactions, those included that need no statement. */
  record?(step: TransactionStep): void;
}
