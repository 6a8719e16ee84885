import type { AmbientScope, SessionWork } from '../../ambient-scope.js';
import type { ManualTransactions } from '../../hand-written.js';
import type { ManagedPool } from '../../managed-pool.js';
import type { Session } from '../../session.js';
import type { TestLoan } from '../../test-loan.js';
import { LentConnection } from '../mysql/lent-connection.js';
import { readControl } from '../mysql/mysql-control.js';
import type { Mysql2Session } from './mysql2-session.js';
import type { MysqlCallback, MysqlCommand, MysqlConnection, MysqlPool } from './mysql2-types.js';
import {
  answerWithoutServer,
  handOutStatement,
  record,
  recordCommand,
  type RecordedCall,
  recorderOf,
  textOf,
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
  async connect(loan?: TestLoan): Promise<MysqlConnection> {
    this.#lent.loan = loan;
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
    const own = new OwnMembers(this, this.#lent);
    const blank = recorderOf(this.#pool);
    const target = (): MysqlConnection => this.#session?.connection ?? blank;
    const face: MysqlConnection = new Proxy<MysqlConnection>(blank, {
      get: (_, key) => (own.has(key) ? own.get(key) : Reflect.get(target(), key)),
      set: (_, key, value) => {
        if (own.has(key)) own.set(key, value);
        else Reflect.set(target(), key, value);
        return true;
      },
      has: (_, key) => Reflect.has(target(), key),
    });
    own.face = face;
    return face;
  }

  /** Adds a command that was made elsewhere. */
  add(command: MysqlCommand): MysqlCommand {
    this.#submit(recordCommand(command));
    return command;
  }

  #submit(call: RecordedCall): void {
    const { command, callback: asker } = call;
    const work = new CallWork(call, this.#lent.handWritten);
    this.#lent.loan?.used(work.text);
    const running = this.#perform(call, work);
    if (asker) {
      // What then() is given runs in the caller's async context.
      running.then(
        (values) => tell(asker, null, values),
        (error: Error) => tell(asker, error, []),
      );
      return;
    }
    running.catch((error: unknown) => {
      if (work.sent) return;
      // What the server refuses mysql2 tells itself.
      process.nextTick(() => {
        command.emit('error', error);
        command.emit('end');
      });
    });
  }

  #perform(call: RecordedCall, work: CallWork): Promise<unknown[]> {
    try {
      const control = work.sql === undefined ? undefined : readControl(work.sql);
      if (control && control.verb !== 'commit implicitly')
        return this.#lent.control(control).then(() => answerWithoutServer(call));
      work.commitsImplicitly = control?.statement;
      return this.#lent.scope.submit(work);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }
}

/** A callback that throws must not be told of it, nor anybody who waits: it is the process's, as with mysql2. */
function tell(callback: MysqlCallback, error: Error | null, values: readonly unknown[]): void {
  try {
    if (error) callback(error);
    else callback(null, ...values);
  } catch (thrown) {
    process.nextTick(() => {
      throw thrown;
    });
  }
}

/** A call as work of its transaction. */
class CallWork implements SessionWork<unknown[]> {
  readonly text: string | undefined;
  /** What is sent, with the values of its parameters in it. */
  readonly sql: string | undefined;
  readonly by: object;
  readonly streams: boolean;
  commitsImplicitly: string | undefined;
  sent = false;
  readonly #call: RecordedCall;

  constructor(call: RecordedCall, by: object) {
    this.#call = call;
    this.text = textOf(call.command);
    this.sql = call.command.sql;
    this.streams = !call.callback;
    this.by = by;
  }

  mayWrite(): boolean {
    return this.sql === undefined || !READS.test(this.sql);
  }

  run(session: Session, prefix: readonly string[]): Promise<unknown[]> {
    this.sent = true;
    return (session as Mysql2Session).run(this.#call, prefix);
  }
}

/** The members of a connection's face that are not the connection's. They are made when they are asked for: few are. */
class OwnMembers {
  face: MysqlConnection | undefined;
  readonly #connection: Mysql2TransactionConnection;
  readonly #lent: LentConnection;
  readonly #made = new Map<PropertyKey, unknown>();

  constructor(connection: Mysql2TransactionConnection, lent: LentConnection) {
    this.#connection = connection;
    this.#lent = lent;
  }

  has(key: PropertyKey): boolean {
    return OWN_KEYS.has(key);
  }

  get(key: PropertyKey): unknown {
    if (!this.#made.has(key)) this.#made.set(key, this.#make(key));
    return this.#made.get(key);
  }

  set(key: PropertyKey, value: unknown): void {
    this.#made.set(key, value);
  }

  #make(key: PropertyKey): unknown {
    const connection = this.#connection;
    switch (key) {
      case 'query':
      case 'execute':
      case 'ping':
        return (...args: unknown[]) => connection.run(key, args);
      case 'prepare':
        return (options: unknown, callback?: MysqlCallback) =>
          connection.run(key, [options, callback && handOutStatement(this.face!, callback)]);
      case 'addCommand':
        return (command: MysqlCommand) => connection.add(command);
      case 'release':
      case Symbol.dispose:
        return () => this.#lent.release();
      default:
        return () => this.#lent.refuse(String(key));
    }
  }
}

const OWN_KEYS: ReadonlySet<PropertyKey> = new Set<PropertyKey>([
  'query',
  'execute',
  'prepare',
  'ping',
  'addCommand',
  'release',
  Symbol.dispose,
  // They would end the connection's life.
  'end',
  'destroy',
  'close',
  'changeUser',
  'reset',
]);

/** A SELECT that locks or calls a function that writes passes for a read. */
const READS = /^\s*(?:select|show|with|values|describe|explain)\b/i;
