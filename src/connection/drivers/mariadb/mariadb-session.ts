import { type Readable, finished } from 'node:stream';
import { type Done, MysqlSession } from '../mysql/mysql-session.js';
import { mayLock, SessionLocks } from '../mysql/session-locks.js';
import { ServerStatus } from '../mysql/server-status.js';
import type { CutOff } from './mariadb-cut-off.js';
import type { MariadbConnection } from './mariadb-types.js';

type Call<T> = (connection: MariadbConnection) => Promise<T>;

/** A call of the connection's own, and the SQL that it sends, where it sends any. */
export interface MariadbStatement<T> {
  readonly text: string | undefined;
  readonly call: Call<T>;
}

export interface MariadbSessionOptions {
  readonly onRest: () => void;
  readonly cutOff: CutOff;
}

/** A connection of the mariadb connector while a transaction holds it. */
export class MariadbSession extends MysqlSession<MariadbConnection> {
  readonly cutOff: CutOff;

  constructor(connection: MariadbConnection, { onRest, cutOff }: MariadbSessionOptions) {
    super(connection, { server: statusOf(connection), onRest });
    this.cutOff = cutOff;
    connection.on('error', this.#onError);
    connection.on('end', this.#onError);
    // The connector tells of its connection by a promise: it may have broken since.
    if (!connection.isValid()) this.distrust(new Error('it was closed before it was lent'));
  }

  /** Runs a statement, with `prefix` before it. */
  run<T>({ call }: MariadbStatement<T>, prefix: readonly string[]): Promise<T> {
    return this.send<T>((tell) => {
      call(this.connection).then((value) => tell(null, value), tell);
    }, prefix);
  }

  /** {@link run} for a stream: ends when the stream does. */
  async stream(
    { text, open }: { readonly text: string; readonly open: (connection: MariadbConnection) => Readable },
    prefix: readonly string[],
  ): Promise<void> {
    const call = async (connection: MariadbConnection): Promise<void> => {
      this.isStreaming = true;
      await new Promise<void>((resolve, reject) =>
        finished(open(connection), { writable: false }, (error) => (error ? reject(error) : resolve())),
      );
    };
    await this.run({ text, call }, prefix).finally(() => (this.isStreaming = false));
  }

  /** The connector ends what runs by ending the connection, from one of its own. The server then rolls back. */
  cancel(): Promise<void> {
    if (this.isBusy) this.abandon(new Error('what ran on the connection was cancelled by closing it'));
    return Promise.resolve();
  }

  detach(): void {
    this.connection.off('error', this.#onError);
    this.connection.off('end', this.#onError);
    // A connection that is cut off hard may still report its socket's error, which nobody is left to hear.
    if (this.lost) this.connection.on('error', () => {});
  }

  protected query(text: string, tell: Done<unknown>): void {
    this.connection.query(text).then(() => tell(null), tell);
  }

  protected destroy(reason: Error, isRunning: boolean): void {
    if (isRunning) this.cutOff(this.connection, reason);
    else this.connection.destroy();
  }

  protected isFatal(error: Error & { fatal?: boolean }): boolean {
    return error.fatal === true || !this.connection.isValid();
  }

  readonly #onError = (error?: Error): void =>
    this.lose(error ?? new Error('the server closed the connection'));
}

const locks = new WeakMap<object, SessionLocks>();

/** Has it known what a statement locks for its session, where it does. */
export function noteLocks({ info }: MariadbConnection, text: string | undefined): void {
  if (text === undefined || !mayLock(text)) return;
  let held = locks.get(info);
  if (!held) locks.set(info, (held = new SessionLocks()));
  held.note(text);
}

/** {@link SessionLocks.left} of a connection. */
export const locksLeftOn = ({ info }: MariadbConnection): string | undefined => locks.get(info)?.left;

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
