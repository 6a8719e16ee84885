import type { Clock } from '../../../core/index.js';
import { runInFrame } from '../../context.js';
import { lostError } from '../../session.js';
import { type Done, MysqlSession } from '../mysql/mysql-session.js';
import type { MysqlConnection, MysqlConnectionClass } from './mysql2-types.js';
import type { RecordedCall } from './recorded-call.js';
import { carry, type SeveralStatements } from './several-statements.js';
import { watch } from './watch-connection.js';

const CANCEL_LIMIT_MS = 2000;

/** Whether a command runs, or waits to. */
export function isWorking({ _command, _commands }: MysqlConnection): boolean {
  return _command != null || _commands.length > 0;
}

/** A mysql2 connection while a transaction holds it. */
export class Mysql2Session extends MysqlSession<MysqlConnection> {
  readonly #clock: Clock;
  readonly #several: SeveralStatements;
  /** Whether it was closed on this side. */
  #isGivenUp = false;

  constructor(connection: MysqlConnection, { clock, onRest }: { clock: Clock; onRest: () => void }) {
    const { status, several } = watch(connection);
    super(connection, { server: status, onRest });
    this.#clock = clock;
    this.#several = several;
    connection.on('error', this.#onError);
    connection.on('end', this.#onEnd);
  }

  /** Runs a call, with `prefix` before it. Resolves with what its callback is to be told. */
  run(call: RecordedCall, prefix: readonly string[]): Promise<unknown[]> {
    if (!call.callback) return this.#stream(call, prefix);
    const [first] = prefix;
    if (first === undefined || !this.#several.canCarry(call))
      return this.send<unknown[]>((done) => this.#add(call, done), prefix);
    // Whether the server takes the level is its answer; the rest has no mistake.
    if (first.startsWith('SET ')) return this.control(first).then(() => this.run(call, prefix.slice(1)));
    return this.send<unknown[]>((done) => this.#carry(call, prefix, done), []);
  }

  #add(call: RecordedCall, done: Done<unknown[]>): void {
    call.listen(done);
    for (const command of call.commands) this.connection.addCommand(command);
  }

  /** Sends control statements and a query in one packet. */
  #carry(call: RecordedCall, control: readonly string[], done: Done<unknown[]>): void {
    const option = this.#several.switchOn();
    if (option) this.connection.addCommand(option);
    const next = ([text, ...left]: readonly string[]): void => {
      this.server.expectTransaction();
      if (text === undefined) return this.#add(call, done);
      this.query(text, (error) => (error ? done(error) : next(left)));
    };
    carry(call.command, control, {
      executed: (flags) => {
        this.server.receive(flags);
        this.server.expectTransaction();
      },
      again: (left) => {
        this.#several.refuse();
        next(left);
      },
    });
    this.#add(call, done);
  }

  /** Runs a call whose caller listens to its events. */
  async #stream({ command, commands }: RecordedCall, prefix: readonly string[]): Promise<unknown[]> {
    let told = false;
    const send = (done: Done<unknown[]>): void => {
      this.isStreaming = true;
      // A command that the server does not answer is over as soon as it is added.
      command.once('error', (error: Error) => {
        told = true;
        done(error);
      });
      command.once('end', () => done(null, []));
      for (const each of commands) this.connection.addCommand(each);
    };
    try {
      return await this.send(send, prefix);
    } catch (error) {
      // mysql2 tells nobody who reads a stream that its connection is lost: the reader would wait for ever.
      if (this.lost && this.isStreaming && !told && !this.#isGivenUp)
        command.emit('error', lostError(this, 'thread'));
      throw error;
    } finally {
      this.isStreaming = false;
    }
  }

  async cancel(): Promise<void> {
    // Of a connection that was lent as it is, the session has sent nothing itself.
    if (this.lost || !isWorking(this.connection)) return;
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

  protected query(text: string, done: Done<unknown>): void {
    this.connection.query(text, done);
  }

  protected destroy(): void {
    this.#isGivenUp = true;
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
