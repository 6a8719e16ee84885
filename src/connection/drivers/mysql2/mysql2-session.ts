import type { Clock } from '../../../core/index.js';
import { runInFrame } from '../../context.js';
import { MysqlSession } from '../mysql/mysql-session.js';
import type { MysqlCommand, MysqlConnection, MysqlConnectionClass } from './mysql2-types.js';
import type { RecordedCall } from './recorded-call.js';
import { statusOf } from './watch-connection.js';

const CANCEL_LIMIT_MS = 2000;

/** A mysql2 connection while a transaction holds it. */
export class Mysql2Session extends MysqlSession<MysqlConnection> {
  readonly #clock: Clock;

  constructor(connection: MysqlConnection, { clock, onRest }: { clock: Clock; onRest: () => void }) {
    super(connection, { server: statusOf(connection), onRest });
    this.#clock = clock;
    connection.on('error', this.#onError);
    connection.on('end', this.#onEnd);
  }

  /** Runs a call, with `prefix` before it. Resolves with what its callback is to be told. */
  async run(call: RecordedCall, prefix: readonly string[]): Promise<unknown[]> {
    const send = (): Promise<unknown[]> => {
      this.isStreaming = !call.callback;
      // A command that the server does not answer is over as soon as it is added.
      const answer = call.callback ? call.answer : eventsOf(call.command);
      for (const command of call.commands) this.connection.addCommand(command);
      return answer;
    };
    return this.send(send, prefix).finally(() => (this.isStreaming = false));
  }

  async cancel(): Promise<void> {
    if (!this.isBusy) return;
    const { backendId } = this;
    // KILL QUERY needs a connection of its own. Its answer comes when the other one's statement has been told.
    const Connection = Object.getPrototypeOf(this.connection.constructor) as MysqlConnectionClass;
    const killer = runInFrame(undefined, () => new Connection({ config: this.connection.config }));
    let isOnItsWay = false;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        timer.clear();
        // It names the connection, not the statement: whatever runs there when it arrives is cancelled.
        if (isOnItsWay) this.distrust(new Error('it is unknown when a KILL QUERY will arrive'));
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

  detach(): void {
    this.connection.removeListener('error', this.#onError);
    this.connection.removeListener('end', this.#onEnd);
    // A connection that is cut off hard may still report its socket's error, which nobody is left to hear.
    if (this.lost) this.connection.on('error', () => {});
  }

  protected query(text: string): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      this.connection.query(text, (error: Error | null, ...values: unknown[]) =>
        error ? reject(error) : resolve(values),
      );
    });
  }

  protected destroy(): void {
    this.connection.stream.destroy();
  }

  /** After a timeout the server still runs the statement: its late answer must not meet the next holder. */
  protected isFatal({ fatal, code }: Error & { fatal?: boolean; code?: string }): boolean {
    return fatal === true || code === 'PROTOCOL_SEQUENCE_TIMEOUT';
  }

  readonly #onError = (error: Error): void => this.lose(error);
  readonly #onEnd = (): void => {
    const lost = new Error('the server closed the connection');
    this.distrust(lost);
    // mysql2 tells what waits for an answer once the stream is closed; not where it was closed on this side.
    const { stream } = this.connection;
    stream.once('close', () => setImmediate(() => this.lose(lost)));
    stream.destroy();
  };
}

/** The end of a command whose caller listens to its events. */
function eventsOf(command: MysqlCommand): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    command.once('error', reject);
    command.once('end', () => resolve([]));
  });
}
