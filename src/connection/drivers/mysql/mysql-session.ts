import type { DriverSession } from '../../driver-pool.js';
import { type CommitAnswer, lostError, type SessionStatus, type TransactionLoan } from '../../session.js';
import { type ServerStatus, tellsOfRollback } from './server-status.js';

/** What a driver tells of its connection. */
export interface SessionOptions {
  readonly server: ServerStatus;
  readonly onRest: () => void;
}

/** Takes what a driver tells of a call: once, whatever it tells later. */
export type Done<T> = (error: Error | null | undefined, value?: T) => void;

/** A connection of MySQL or MariaDB while a transaction holds it, whichever driver it is of. */
export abstract class MysqlSession<C extends { readonly threadId: number | null }> implements DriverSession {
  readonly connection: C;
  lease?: TransactionLoan;
  /** Whether what runs ends when its reader does. */
  protected isStreaming = false;
  protected readonly server: ServerStatus;
  readonly #onRest: () => void;
  #busy = false;
  #endedByStatement = false;
  #lost: Error | undefined;
  /** Ends the wait for the server's answer. */
  #fail: (error: Error) => void = nobodyWaits;

  constructor(connection: C, { server, onRest }: SessionOptions) {
    this.connection = connection;
    this.server = server;
    this.#onRest = onRest;
  }

  abstract cancel(): Promise<void>;
  abstract detach(): void;
  /** Sends a statement that takes no values, past everything here. */
  protected abstract query(text: string, done: Done<unknown>): void;
  /** Closes the connection. `isRunning`: whether the server works on something. */
  protected abstract destroy(reason: Error, isRunning: boolean): void;
  /** Whether nothing can be sent any more after this error. */
  protected abstract isFatal(error: Error): boolean;

  get backendId(): number | undefined {
    return this.connection.threadId ?? undefined;
  }

  get lost(): Error | undefined {
    return this.#lost;
  }

  get streaming(): boolean {
    return this.isStreaming;
  }

  get isRunning(): boolean {
    return this.isBusy && !this.isStreaming;
  }

  get endedByStatement(): boolean {
    return this.#endedByStatement;
  }

  status(): SessionStatus {
    if (this.#busy) return 'busy';
    return this.server.inTransaction ? 'in transaction' : 'idle';
  }

  control(text: string): Promise<void> {
    return this.#send<unknown>((done) => this.query(text, done), nothingEnds) as Promise<void>;
  }

  commit(): Promise<CommitAnswer> {
    if (this.#lost) return Promise.resolve({ kind: 'rolled back', error: lostError(this, 'thread') });
    return this.control('COMMIT').then(
      () => ({ kind: 'committed' }),
      (error: Error) =>
        this.#lost ? { kind: 'unknown', error, transactionId: undefined } : { kind: 'rolled back', error },
    );
  }

  abandon(reason: Error): void {
    const isRunning = this.#busy;
    this.lose(reason);
    this.destroy(reason, isRunning);
  }

  /** Whether the server works on something, and can still be waited for. */
  protected get isBusy(): boolean {
    return this.#busy && !this.#lost;
  }

  /** Sends a statement of the transaction, with `prefix` before it. */
  protected send<T>(call: (done: Done<T>) => void, prefix: readonly string[]): Promise<T> {
    return prefix.length === 0 ? this.#sendStatement(call) : this.#sendBehind(prefix, call);
  }

  /** From now on nothing is sent, and what waits for an answer is told. */
  protected lose(error: Error): void {
    this.distrust(error);
    this.#fail(error);
  }

  /** From now on nothing is sent. */
  protected distrust(error: Error): void {
    this.#lost ??= error;
  }

  async #sendBehind<T>(prefix: readonly string[], call: (done: Done<T>) => void): Promise<T> {
    for (const text of prefix) await this.control(text);
    return this.#sendStatement(call);
  }

  #sendStatement<T>(call: (done: Done<T>) => void): Promise<T> {
    this.server.expectTransaction();
    return this.#send(call, this.#noteEnd);
  }

  readonly #noteEnd = (error: Error | undefined): void => {
    this.#endedByStatement ||= this.server.leftTransaction && !(error && tellsOfRollback(error));
  };

  /**
   * Sends, and waits until the connection can take the next statement. One promise for all of it: under an async
   * context each costs, and this is done for each statement.
   */
  #send<T>(call: (done: Done<T>) => void, noteEnd: (error: Error | undefined) => void): Promise<T> {
    if (this.#lost) return Promise.reject(lostError(this, 'thread'));
    this.#busy = true;
    return new Promise<T>((resolve, reject) => {
      const rest = (): void => {
        this.#busy = false;
        this.#fail = nobodyWaits;
        this.#onRest();
      };
      let answered = false;
      const done: Done<T> = (error, value) => {
        if (answered) return;
        answered = true;
        if (!error) {
          rest();
          noteEnd(undefined);
          return resolve(value as T);
        }
        this.#afterError(error, () => {
          rest();
          noteEnd(error);
          reject(error);
        });
      };
      this.#fail = done;
      try {
        call(done);
      } catch (error) {
        done(error as Error);
      }
    });
  }

  #afterError(error: Error, goOn: () => void): void {
    if (this.#lost) return goOn();
    if (this.isFatal(error)) {
      this.distrust(error);
      return goOn();
    }
    let answered = false;
    const done = (failure?: Error | null): void => {
      if (answered) return;
      answered = true;
      if (failure) this.distrust(error);
      goOn();
    };
    this.#fail = done;
    // An error carries no status, and some errors end the transaction.
    this.query('DO 0', done);
  }
}

function nobodyWaits(): void {}
function nothingEnds(): void {}
