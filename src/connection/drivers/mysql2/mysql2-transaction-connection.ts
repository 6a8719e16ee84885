import type { AmbientScope, SessionWork } from '../../ambient-scope.js';
import type { ManualTransactions } from '../../hand-written.js';
import type { ManagedPool } from '../../managed-pool.js';
import type { Session } from '../../session.js';
import type { TestLoan } from '../../test-loan.js';
import { LentConnection } from '../mysql/lent-connection.js';
import { readControl } from '../mysql/mysql-control.js';
import type { Mysql2Session } from './mysql2-session.js';
import type {
  MysqlCallback,
  MysqlCommand,
  MysqlConnection,
  MysqlPool,
  MysqlPromiseConnection,
} from './mysql2-types.js';
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

  /** {@link run} for a query of `connection.promise()`. */
  query(sql: unknown, values: unknown): Promise<[rows: unknown, fields: unknown]> {
    const recorder = recorderOf(this.#pool, this.#session?.connection.config);
    let call: RecordedCall;
    try {
      call = record(recorder, 'query', values === undefined ? [sql, nobody] : [sql, values, nobody]);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    const failed = (error: unknown): never => {
      if (recorder.config.trace && error instanceof Error) showCaller(error, failed);
      throw error;
    };
    return this.#ask(call).then(([rows, fields]) => [rows, fields], failed);
  }

  /** This object behind the face of a mysql2 connection: what it does not do itself goes to the connection. */
  asConnection(): MysqlConnection {
    const blank = recorderOf(this.#pool);
    const own = new OwnMembers(this, this.#lent, blank);
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

  #ask(call: RecordedCall, work = new CallWork(call, this.#lent.handWritten)): Promise<unknown[]> {
    this.#lent.loan?.used(work.text);
    return this.#perform(call, work);
  }

  #submit(call: RecordedCall): void {
    const { command, callback: asker } = call;
    const work = new CallWork(call, this.#lent.handWritten);
    const running = this.#ask(call, work);
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
      if (control && this.#lent.carriesOut(control))
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
    this.sql = call.command.sql ?? call.command.statement?.query;
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
  readonly #blank: MysqlConnection;
  readonly #made = new Map<PropertyKey, unknown>();
  #promised: MysqlPromiseConnection | undefined;

  constructor(connection: Mysql2TransactionConnection, lent: LentConnection, blank: MysqlConnection) {
    this.#connection = connection;
    this.#lent = lent;
    this.#blank = blank;
  }

  has(key: PropertyKey): boolean {
    return OWN_KEYS.has(key);
  }

  get(key: PropertyKey): unknown {
    if (!this.#made.has(key)) this.#made.set(key, this.#make(key));
    return this.#made.get(key);
  }

  /** mysql2's own, with a query of ours. One for all calls: TypeORM asks for it with each query. */
  #promise(promiseClass: unknown): MysqlPromiseConnection {
    if (this.#promised && !promiseClass) return this.#promised;
    const promised = this.#blank.promise.call(this.face, promiseClass);
    // Another class of promises is mysql2's to make.
    if (promiseClass) return promised;
    const original = promised.query;
    const query: MysqlPromiseConnection['query'] = (sql, values) =>
      typeof values === 'function'
        ? original.call(promised, sql, values)
        : this.#connection.query(sql, values);
    promised.query = query;
    return (this.#promised = promised);
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
      case 'promise':
        return (promiseClass?: unknown) => this.#promise(promiseClass);
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

/** Whoever is told by a promise. */
function nobody(): void {}

/**
 * Gives an error the stack that mysql2 gives it: where the promise was asked for. mysql2 takes that stack with each statement,
 * for a tenth of its processor time; but whoever awaits a promise is on the stack of what rejects it.
 */
function showCaller(error: Error, rejecting: Function): void {
  const holder = { stack: '' };
  Error.captureStackTrace(holder, rejecting);
  const [, ...frames] = holder.stack.split('\n');
  if (frames.length > 0) error.stack = [`${error.name}: ${error.message}`, ...frames].join('\n');
}

const OWN_KEYS: ReadonlySet<PropertyKey> = new Set<PropertyKey>([
  'query',
  'execute',
  'prepare',
  'ping',
  'addCommand',
  'promise',
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
