import { type Readable, finished } from 'node:stream';
import { messageOf } from '../../../core/index.js';
import type { DriverSession } from '../../driver-pool.js';
import { ConnectionLostError } from '../../errors.js';
import type { CommitAnswer, SessionStatus } from '../../session.js';
import { ServerStatus, tellsOfRollback } from '../mysql/server-status.js';
import type { MariadbConnection } from './mariadb-types.js';

type Call<T> = (connection: MariadbConnection) => Promise<T>;

/** A call of the connection's own, and the SQL that it sends, where it sends any. */
export interface MariadbStatement<T> {
  readonly text: string | undefined;
  readonly call: Call<T>;
}

/** A connection of the mariadb connector while a transaction holds it. */
export class MariadbSession implements DriverSession {
  readonly connection: MariadbConnection;
  readonly #onRest: () => void;
  readonly #server: ServerStatus;
  #busy = false;
  #streaming = false;
  #endedByStatement = false;
  #lost: Error | undefined;
  /** Rejects what waits for the server's answer. */
  #fail: (error: Error) => void = () => {};

  constructor(connection: MariadbConnection, onRest: () => void) {
    this.connection = connection;
    this.#onRest = onRest;
    this.#server = statusOf(connection);
    connection.on('error', this.#onError);
    connection.on('end', this.#onError);
    // The connector tells of its connection by a promise: it may have broken since.
    if (!connection.isValid()) this.#lost = new Error('it was closed before it was lent');
  }

  get backendId(): number | undefined {
    return this.connection.threadId ?? undefined;
  }

  get lost(): Error | undefined {
    return this.#lost;
  }

  get streaming(): boolean {
    return this.#streaming;
  }

  get isRunning(): boolean {
    return this.#busy && !this.#streaming && !this.#lost;
  }

  get endedByStatement(): boolean {
    return this.#endedByStatement;
  }

  status(): SessionStatus {
    if (this.#busy) return 'busy';
    return this.#server.inTransaction ? 'in transaction' : 'idle';
  }

  /** Runs a statement, with `prefix` before it. */
  async run<T>({ call }: MariadbStatement<T>, prefix: readonly string[]): Promise<T> {
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

  /** {@link run} for a stream: ends when the stream does. */
  async stream(
    { text, open }: { readonly text: string; readonly open: (connection: MariadbConnection) => Readable },
    prefix: readonly string[],
  ): Promise<void> {
    const call = async (connection: MariadbConnection): Promise<void> => {
      this.#streaming = true;
      await new Promise<void>((resolve, reject) =>
        finished(open(connection), { writable: false }, (error) => (error ? reject(error) : resolve())),
      );
    };
    await this.run({ text, call }, prefix).finally(() => (this.#streaming = false));
  }

  async control(text: string): Promise<void> {
    await this.#send((connection) => connection.query(text));
  }

  async commit(): Promise<CommitAnswer> {
    if (this.#lost) return { kind: 'rolled back', error: this.#lostError() };
    try {
      await this.control('COMMIT');
      return { kind: 'committed' };
    } catch (error) {
      return this.#lost
        ? { kind: 'unknown', error: this.#lost, transactionId: undefined }
        : { kind: 'rolled back', error: error as Error };
    }
  }

  /** The connector ends what runs by ending the connection, from one of its own. The server then rolls back. */
  cancel(): Promise<void> {
    if (this.#busy && !this.#lost)
      this.abandon(new Error('what ran on the connection was cancelled by closing it'));
    return Promise.resolve();
  }

  abandon(reason: Error): void {
    this.#lose(reason);
    this.connection.destroy();
  }

  detach(): void {
    this.connection.off('error', this.#onError);
    this.connection.off('end', this.#onError);
    // A connection that is cut off hard may still report its socket's error, which nobody is left to hear.
    if (this.#lost) this.connection.on('error', () => {});
  }

  readonly #onError = (error?: Error): void =>
    this.#lose(error ?? new Error('the server closed the connection'));

  #lose(error: Error): void {
    this.#lost ??= error;
    this.#fail(this.#lost);
  }

  /** Sends, and waits until the connection can take the next statement. */
  async #send<T>(call: Call<T>): Promise<T> {
    if (this.#lost) throw this.#lostError();
    this.#busy = true;
    try {
      return await this.#answered(call);
    } catch (error) {
      await this.#afterError(error as Error & { fatal?: boolean });
      throw error;
    } finally {
      this.#busy = false;
      this.#fail = () => {};
      this.#onRest();
    }
  }

  #answered<T>(call: Call<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      call(this.connection).then(resolve, reject);
    });
  }

  async #afterError(error: Error & { fatal?: boolean }): Promise<void> {
    if (this.#lost) return;
    if (error.fatal || !this.connection.isValid()) {
      this.#lost = error;
      return;
    }
    // An error carries no status, and some errors end the transaction.
    await this.#answered((connection) => connection.query('DO 0')).catch(() => void (this.#lost ??= error));
  }

  #lostError(): ConnectionLostError {
    return new ConnectionLostError(
      `The transaction's connection (thread ${this.backendId ?? 'unknown'}) can no longer be used: ${messageOf(this.#lost)}. ` +
        'The server rolls the transaction back; run it again.',
      { cause: this.#lost, retryable: true },
    );
  }
}

const watched = new WeakMap<object, ServerStatus>();

/** What the server says of a connection. The connector writes the flags of each answer to one member. */
export function statusOf({ info }: MariadbConnection): ServerStatus {
  let status = watched.get(info);
  if (!status) {
    status = new ServerStatus();
    const watching = status;
    let flags = info.status;
    watching.receive(flags);
    watched.set(info, status);
    Object.defineProperty(info, 'status', {
      configurable: true,
      enumerable: true,
      get: () => flags,
      set: (received: number) => {
        flags = received;
        watching.receive(received);
      },
    });
  }
  return status;
}
