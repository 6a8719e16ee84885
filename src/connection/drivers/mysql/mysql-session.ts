import type { DriverSession } from '../../driver-pool.js';
import type { LeaseInfo } from '../../lease.js';
import { type CommitAnswer, lostError, type SessionStatus } from '../../session.js';
import { type ServerStatus, tellsOfRollback } from './server-status.js';

/** What a driver tells of its connection. */
export interface SessionOptions {
  readonly server: ServerStatus;
  readonly onRest: () => void;
}

/** A connection of MySQL or MariaDB while a transaction holds it, whichever driver it is of. */
export abstract class MysqlSession<C extends { readonly threadId: number | null }> implements DriverSession {
  readonly connection: C;
  lease?: LeaseInfo;
  /** Whether what runs ends when its reader does. */
  protected isStreaming = false;
  readonly #server: ServerStatus;
  readonly #onRest: () => void;
  #busy = false;
  #endedByStatement = false;
  #lost: Error | undefined;
  /** Rejects what waits for the server's answer. */
  #fail: (error: Error) => void = () => {};

  constructor(connection: C, { server, onRest }: SessionOptions) {
    this.connection = connection;
    this.#server = server;
    this.#onRest = onRest;
  }

  abstract cancel(): Promise<void>;
  abstract detach(): void;
  /** Sends a statement that takes no values, past everything here. */
  protected abstract query(text: string): Promise<unknown>;
  protected abstract destroy(): void;
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
    return this.#server.inTransaction ? 'in transaction' : 'idle';
  }

  async control(text: string): Promise<void> {
    await this.#send(() => this.query(text));
  }

  async commit(): Promise<CommitAnswer> {
    if (this.#lost) return { kind: 'rolled back', error: lostError(this, 'thread') };
    try {
      await this.control('COMMIT');
      return { kind: 'committed' };
    } catch (error) {
      return this.#lost
        ? { kind: 'unknown', error: error as Error, transactionId: undefined }
        : { kind: 'rolled back', error: error as Error };
    }
  }

  abandon(reason: Error): void {
    this.lose(reason);
    this.destroy();
  }

  /** Whether the server works on something, and can still be waited for. */
  protected get isBusy(): boolean {
    return this.#busy && !this.#lost;
  }

  /** Sends a statement of the transaction, with `prefix` before it. */
  protected async send<T>(call: () => Promise<T>, prefix: readonly string[]): Promise<T> {
    for (const text of prefix) await this.control(text);
    this.#server.expectTransaction();
    try {
      const value = await this.#send(call);
      this.#endedByStatement ||= this.#server.leftTransaction;
      return value;
    } catch (error) {
      this.#endedByStatement ||= this.#server.leftTransaction && !tellsOfRollback(error);
      throw error;
    }
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

  /** Sends, and waits until the connection can take the next statement. */
  async #send<T>(call: () => Promise<T>): Promise<T> {
    if (this.#lost) throw lostError(this, 'thread');
    this.#busy = true;
    try {
      return await this.#answered(call);
    } catch (error) {
      await this.#afterError(error as Error);
      throw error;
    } finally {
      this.#busy = false;
      this.#fail = () => {};
      this.#onRest();
    }
  }

  #answered<T>(call: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      call().then(resolve, reject);
    });
  }

  async #afterError(error: Error): Promise<void> {
    if (this.#lost) return;
    if (this.isFatal(error)) return this.distrust(error);
    // An error carries no status, and some errors end the transaction.
    await this.#answered(() => this.query('DO 0')).catch(() => this.distrust(error));
  }
}
