import type { AmbientScope } from '../../ambient-scope.js';
import type { ManualTransactions } from '../../hand-written.js';
import type { ManagedPool } from '../../managed-pool.js';
import { LentConnection } from '../mysql/lent-connection.js';
import { readControl } from '../mysql/mysql-control.js';
import type { Mysql2Session } from './mysql2-session.js';
import type {
  MysqlCallback,
  MysqlCommand,
  MysqlConnection,
  MysqlPool,
  MysqlPreparedStatement,
} from './mysql2-types.js';
import {
  answerWithoutServer,
  record,
  recordCommand,
  type RecordedCall,
  recorderOf,
} from './recorded-call.js';

/**
 * The connection that a pool lends inside a transaction: every command goes to the transaction's queue, START
 * TRANSACTION and COMMIT become a savepoint, `release()` gives nothing back. `promise()` wraps it as any other.
 */
export class Mysql2TransactionConnection {
  readonly #lent: LentConnection;
  readonly #pool: MysqlPool;
  #session: Mysql2Session | undefined;

  constructor(
    managed: ManagedPool,
    pool: MysqlPool,
    { scope, handWritten }: { scope: AmbientScope; handWritten?: ManualTransactions | undefined },
  ) {
    this.#lent = new LentConnection(managed, scope, handWritten);
    this.#pool = pool;
  }

  /** Takes the transaction's connection, as `pool.getConnection()` does. */
  async connect(): Promise<MysqlConnection> {
    this.#session = (await this.#lent.scope.connect()) as Mysql2Session;
    return this.asConnection();
  }

  /** A method of mysql2's connection. Returns the command at once, as mysql2 does. */
  run(method: 'query' | 'execute' | 'prepare' | 'ping', args: readonly unknown[]): MysqlCommand {
    const call = record(recorderOf(this.#pool, this.#session?.connection.config), method, args);
    this.#submit(call);
    return call.command;
  }

  /** This object behind the face of a mysql2 connection: what it does not do itself goes to the connection. */
  asConnection(): MysqlConnection {
    const own: Record<PropertyKey, unknown> = {
      query: (...args: unknown[]) => this.run('query', args),
      execute: (...args: unknown[]) => this.run('execute', args),
      prepare: (options: unknown, callback?: MysqlCallback) =>
        this.run('prepare', [options, callback && this.#handOutStatement(callback, () => face)]),
      ping: (...args: unknown[]) => this.run('ping', args),
      addCommand: (command: MysqlCommand) => {
        this.#submit(recordCommand(command));
        return command;
      },
      release: () => this.#lent.release(),
      [Symbol.dispose]: () => this.#lent.release(),
    };
    for (const method of ['end', 'destroy', 'close', 'changeUser', 'reset'])
      own[method] = () => this.#lent.refuse(method);
    const blank = recorderOf(this.#pool);
    const target = (): MysqlConnection => this.#session?.connection ?? blank;
    const face: MysqlConnection = new Proxy<MysqlConnection>(blank, {
      get: (_, key) => (Object.hasOwn(own, key) ? own[key] : Reflect.get(target(), key)),
      set: (_, key, value) => {
        if (Object.hasOwn(own, key)) own[key] = value;
        else Reflect.set(target(), key, value);
        return true;
      },
      has: (_, key) => Reflect.has(target(), key),
    });
    return face;
  }

  #submit(call: RecordedCall): void {
    const { command } = call;
    let sent = false;
    const running = this.#perform(call, () => (sent = true));
    const { callback } = call;
    if (callback) {
      // What then() is given runs in the caller's async context.
      running.then(
        (values) => process.nextTick(callback, null, ...values),
        (error: Error) => process.nextTick(callback, error),
      );
      return;
    }
    running.catch((error: unknown) => {
      if (sent) return;
      // What the server refuses mysql2 tells itself.
      process.nextTick(() => {
        command.emit('error', error);
        command.emit('end');
      });
    });
  }

  async #perform(call: RecordedCall, onSend: () => void): Promise<unknown[]> {
    const text = call.command.sql;
    const control = text === undefined ? undefined : readControl(text);
    if (control && control.verb !== 'commit implicitly') {
      await this.#lent.control(control);
      return answerWithoutServer(call);
    }
    return this.#lent.scope.submit({
      text,
      by: this.#lent.handWritten,
      commitsImplicitly: control?.statement,
      mayWrite: () => text === undefined || !READS.test(text),
      run: (session, prefix) => {
        onSend();
        return (session as Mysql2Session).run(call, prefix);
      },
    });
  }

  /** mysql2 keeps prepared statements with the physical connection; this one's commands take their turn as all others. */
  #handOutStatement(callback: MysqlCallback, face: () => MysqlConnection): MysqlCallback {
    return (error, statement) => {
      if (error) return callback(error);
      callback(null, Object.create(statement as MysqlPreparedStatement, { _connection: { value: face() } }));
    };
  }
}

/** A SELECT that locks or calls a function that writes passes for a read. */
const READS = /^\s*(?:select|show|with|values|describe|explain)\b/i;
