import { sqliteDialect } from '../../../core/index.js';
import type { AmbientScope } from '../../ambient-scope.js';
import { currentFrame } from '../../context.js';
import type { ConnectionState, DriverLease } from '../../driver-lease.js';
import { type Answer, DriverPool, type DriverPoolOptions, type DriverSession } from '../../driver-pool.js';
import { PoolEndedError, TransactionControlError } from '../../errors.js';
import type { HandWrittenTransactions } from '../../hand-written.js';
import type { PoolCounts } from '../../managed-pool.js';
import type { SettledOutcome } from '../../session.js';
import { SqliteSession } from './sqlite-session.js';
import { SqliteTransactionClient } from './sqlite-transaction-client.js';
import { isInTransaction, type SqliteDatabase } from './sqlite-types.js';

/**
 * The one connection of an SQLite database, lent to one at a time: a transaction holds it from its first statement to its
 * end, and everybody else waits. Statements on the Database object itself are nobody's: they go past it.
 */
export class SqlitePool extends DriverPool<SqliteDatabase> {
  override readonly onlyOne = 'on SQLite a data source has one connection';
  readonly dialect = sqliteDialect;
  readonly #waiting: Answer<SqliteDatabase>[] = [];
  readonly #owner: object;
  #database: SqliteDatabase | undefined;
  #lent = false;
  #ended = false;

  /** `owner` is what the connection belongs to: the Database, or what opens it when it is needed. */
  constructor(owner: object, options: DriverPoolOptions) {
    super(options);
    this.#owner = owner;
  }

  /** The connection, now that it is open. It may be another one than before. */
  connected(database: SqliteDatabase): void {
    this.#database = database;
    const { export: exportCopy } = database;
    if (!exportCopy) return;
    this.replace<SqliteDatabase>(database, {
      export: () => {
        this.#refuseExport(database);
        return exportCopy.call(database);
      },
    });
  }

  /** Ends the pool when the Database is closed. */
  endWith(database: SqliteDatabase): void {
    const { close } = database;
    this.replace<SqliteDatabase>(database, {
      close: () => {
        this.#ended = true;
        return close.call(database);
      },
    });
  }

  get native(): object {
    return this.#owner;
  }

  get ended(): boolean {
    return this.#ended;
  }

  counts(): PoolCounts {
    const inUse = this.#lent ? 1 : 0;
    return { max: 1, total: 1, inUse, idle: 1 - inUse, pending: this.#waiting.length };
  }

  transactionClient(scope: AmbientScope, handWritten?: HandWrittenTransactions): SqliteTransactionClient {
    return new SqliteTransactionClient(this, scope, handWritten);
  }

  settle(): Promise<SettledOutcome> {
    return Promise.resolve('unknown');
  }

  /** The scope of the running call. Throws where a statement could be in none, and not outside of one either. */
  scopeOfCall(): AmbientScope | undefined {
    return this.scope();
  }

  /** Borrows the connection for statements outside any transaction of holdfast. */
  take(): Promise<DriverLease<SqliteDatabase>> {
    return this.borrow(this.request('client', currentFrame()), ({ lease }) => lease);
  }

  protected ask(answer: Answer<SqliteDatabase>): void {
    this.#waiting.push(answer);
    this.#lendNext();
  }

  protected openSession(database: SqliteDatabase, onRest: () => void): DriverSession {
    return new SqliteSession(database, onRest);
  }

  protected isInTransaction(database: SqliteDatabase): boolean {
    return isInTransaction(database);
  }

  /** Its statements run on the thread that would look. */
  protected inspect(database: SqliteDatabase): ConnectionState {
    return { running: false, inTransaction: isInTransaction(database) };
  }

  protected backendIdOf(): undefined {
    return undefined;
  }

  protected isTimeout(): boolean {
    return false;
  }

  #lendNext(): void {
    if (this.#lent) return;
    const answer = this.#waiting.shift();
    if (!answer) return;
    const database = this.#database;
    if (this.#ended || !database) {
      return answer(new PoolEndedError(`The database of pool "${this.name}" is not open.`));
    }
    this.#lent = true;
    answer(undefined, database, () => {
      // There is no other connection to give the next one: this one is made clean, whatever was wrong with it.
      if (!this.#ended && isInTransaction(database)) database.exec('ROLLBACK');
      this.#lent = false;
      this.#lendNext();
      return false;
    });
  }

  #refuseExport(database: SqliteDatabase): void {
    if (!isInTransaction(database)) return;
    throw new TransactionControlError(
      `sql.js ends a transaction when it exports the database, and one is open on data source "${this.name}". Export it outside every transaction.`,
    );
  }
}
