import type { DriverSession } from '../../driver-pool.js';
import type { CommitAnswer, SessionStatus } from '../../session.js';
import { isInTransaction, isQueryOnly, type SqliteDatabase } from './sqlite-types.js';

/** An SQLite connection while a transaction holds it. SQLite runs in this process: it is never lost, and always answers. */
export class SqliteSession implements DriverSession {
  readonly backendId = undefined;
  readonly streaming = false;
  readonly #database: SqliteDatabase;
  readonly #onRest: () => void;
  /** Whether it accepted writes before the transaction. */
  #acceptsWrites = true;
  #readOnly = false;
  #busy = false;
  #endedByStatement = false;
  #lost: Error | undefined;

  constructor(database: SqliteDatabase, onRest: () => void) {
    this.#database = database;
    this.#onRest = onRest;
  }

  get lost(): Error | undefined {
    return this.#lost;
  }

  get isRunning(): boolean {
    return this.#busy;
  }

  get endedByStatement(): boolean {
    return this.#endedByStatement;
  }

  status(): SessionStatus {
    if (this.#busy) return 'busy';
    return isInTransaction(this.#database) ? 'in transaction' : 'idle';
  }

  /** Runs one statement, `work`, with `prefix` before it. */
  async run<T>(work: () => Promise<T>, prefix: readonly string[]): Promise<T> {
    for (const text of prefix) this.#execute(text);
    this.#busy = true;
    try {
      const value = await work();
      this.#endedByStatement ||= !isInTransaction(this.#database);
      return value;
    } finally {
      this.#busy = false;
      this.#onRest();
    }
  }

  async control(text: string): Promise<void> {
    this.#execute(text);
  }

  async commit(): Promise<CommitAnswer> {
    try {
      this.#execute('COMMIT');
      return { kind: 'committed' };
    } catch (error) {
      // A COMMIT that fails (a deferred constraint, a lock of another process) leaves the transaction open.
      if (isInTransaction(this.#database)) this.#execute('ROLLBACK');
      return { kind: 'rolled back', error: error as Error };
    }
  }

  /** A statement holds the process while it runs: there is never one to cancel. */
  cancel(): Promise<void> {
    return Promise.resolve();
  }

  abandon(reason: Error): void {
    this.#lost ??= reason;
  }

  detach(): void {
    if (this.#readOnly && this.#acceptsWrites) this.#database.exec('PRAGMA query_only = OFF');
  }

  #execute(text: string): void {
    if (text.startsWith('PRAGMA query_only')) {
      this.#acceptsWrites = !isQueryOnly(this.#database);
      this.#readOnly = true;
    }
    this.#database.exec(text);
  }
}
