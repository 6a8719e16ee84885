import { type Clock, messageOf } from '../../../core/index.js';
import { runInFrame } from '../../context.js';
import type { DriverSession } from '../../driver-pool.js';
import { ConnectionLostError } from '../../errors.js';
import type { CommitAnswer, SessionStatus } from '../../session.js';
import { type ServerStatus, tellsOfRollback } from '../mysql/server-status.js';
import type { MysqlCommand, MysqlConnection, MysqlConnectionClass } from './mysql2-types.js';
import type { RecordedCall } from './recorded-call.js';
import { statusOf } from './watch-connection.js';

const CANCEL_LIMIT_MS = 2000;

/** A mysql2 connection while a transaction holds it. */
export class Mysql2Session implements DriverSession {
  readonly connection: MysqlConnection;
  readonly #clock: Clock;
  readonly #onRest: () => void;
  readonly #server: ServerStatus;
  #busy = false;
  #streaming = false;
  #endedByStatement = false;
  #lost: Error | undefined;
  /** Rejects what waits for the server's answer. */
  #fail: (error: Error) => void = () => {};

  constructor(connection: MysqlConnection, { clock, onRest }: { clock: Clock; onRest: () => void }) {
    this.connection = connection;
    this.#clock = clock;
    this.#onRest = onRest;
    this.#server = statusOf(connection);
    connection.on('error', this.#onError);
    connection.on('end', this.#onEnd);
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

  /** Runs a call, with `prefix` before it. Resolves with what its callback is to be told. */
  async run(call: RecordedCall, prefix: readonly string[]): Promise<unknown[]> {
    for (const text of prefix) await this.control(text);
    this.#server.expectTransaction();
    this.#streaming = !call.callback;
    try {
      const values = await this.#send(() => {
        // A command that the server does not answer is over as soon as it is added.
        const answer = call.callback ? call.answer : eventsOf(call.command);
        for (const command of call.commands) this.connection.addCommand(command);
        return answer;
      });
      this.#endedByStatement ||= this.#server.leftTransaction;
      return values;
    } catch (error) {
      this.#endedByStatement ||= this.#server.leftTransaction && !tellsOfRollback(error);
      throw error;
    } finally {
      this.#streaming = false;
    }
  }

  async control(text: string): Promise<void> {
    await this.#send(() => this.#query(text));
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

  async cancel(): Promise<void> {
    if (this.#lost || !this.#busy) return;
    const { backendId } = this;
    // KILL QUERY needs a connection of its own. Its answer comes when the other one's statement has been told.
    const Connection = Object.getPrototypeOf(this.connection.constructor) as MysqlConnectionClass;
    const killer = runInFrame(undefined, () => new Connection({ config: this.connection.config }));
    let isOnItsWay = false;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        timer.clear();
        // It names the connection, not the statement: whatever runs there when it arrives is cancelled.
        if (isOnItsWay) this.#lost ??= new Error('it is unknown when a KILL QUERY will arrive');
        killer.stream.destroy();
        resolve();
      };
      const timer = this.#clock.setTimer(end, CANCEL_LIMIT_MS);
      killer.on('error', end);
      killer.once('connect', () => {
        isOnItsWay = true;
        killer.query(`KILL QUERY ${backendId}`, () => {
          isOnItsWay = false;
          end();
        });
      });
    });
  }

  abandon(reason: Error): void {
    this.#lose(reason);
    this.connection.stream.destroy();
  }

  detach(): void {
    this.connection.removeListener('error', this.#onError);
    this.connection.removeListener('end', this.#onEnd);
    // A connection that is cut off hard may still report its socket's error, which nobody is left to hear.
    if (this.#lost) this.connection.on('error', () => {});
  }

  readonly #onError = (error: Error): void => this.#lose(error);
  readonly #onEnd = (): void => this.#lose(new Error('the server closed the connection'));

  #lose(error: Error): void {
    this.#lost ??= error;
    this.#fail(this.#lost);
  }

  #query(text: string): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      this.connection.query(text, (error: Error | null, ...values: unknown[]) =>
        error ? reject(error) : resolve(values),
      );
    });
  }

  /** Sends, and waits until the connection can take the next statement. */
  async #send(send: () => Promise<unknown[]>): Promise<unknown[]> {
    if (this.#lost) throw this.#lostError();
    this.#busy = true;
    try {
      return await this.#answered(send);
    } catch (error) {
      await this.#afterError(error as Error & { code?: string; fatal?: boolean });
      throw error;
    } finally {
      this.#busy = false;
      this.#fail = () => {};
      this.#onRest();
    }
  }

  #answered(send: () => Promise<unknown[]>): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      send().then(resolve, reject);
    });
  }

  async #afterError(error: Error & { code?: string; fatal?: boolean }): Promise<void> {
    if (this.#lost) return;
    if (error.fatal || error.code === 'PROTOCOL_SEQUENCE_TIMEOUT') {
      // After a timeout the server still runs the statement: its late answer must not meet the next holder.
      this.#lost = error;
      return;
    }
    // An error carries no status, and some errors end the transaction.
    await this.#answered(() => this.#query('DO 0')).catch(() => void (this.#lost ??= error));
  }

  #lostError(): ConnectionLostError {
    return new ConnectionLostError(
      `The transaction's connection (thread ${this.backendId ?? 'unknown'}) can no longer be used: ${messageOf(this.#lost)}. ` +
        'The server rolls the transaction back; run it again.',
      { cause: this.#lost, retryable: true },
    );
  }
}

/** The end of a command whose caller listens to its events. */
function eventsOf(command: MysqlCommand): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    command.once('error', reject);
    command.once('end', () => resolve([]));
  });
}
