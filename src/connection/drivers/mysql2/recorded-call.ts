import { EventEmitter } from 'node:events';
import type { Done } from '../mysql/mysql-session.js';
import type {
  MysqlCallback,
  MysqlCommand,
  MysqlConnection,
  MysqlConnectionClass,
  MysqlConnectionConfig,
  MysqlPool,
  MysqlPreparedStatement,
} from './mysql2-types.js';

/** A call of a method of mysql2's connection whose commands are not sent yet. */
export class RecordedCall {
  /** What the method returned: the last command. */
  readonly command: MysqlCommand;
  readonly commands: readonly MysqlCommand[];
  /** The caller's callback; without one it listens to the command's events. */
  readonly callback: MysqlCallback | undefined;
  /** Whether it is one text that the server is sent as it is. */
  readonly isQuery: boolean;
  readonly #answer: Answer;

  constructor(
    commands: readonly MysqlCommand[],
    {
      callback,
      answer,
      isQuery = false,
    }: { callback: MysqlCallback | undefined; answer: Answer; isQuery?: boolean },
  ) {
    this.command = commands.at(-1)!;
    this.commands = commands;
    this.callback = callback;
    this.isQuery = isQuery;
    this.#answer = answer;
  }

  /** Has `done` told what mysql2 tells a callback, from now on. Call before the commands are sent. */
  listen(done: Done<unknown[]>): void {
    this.#answer.done = done;
  }
}

/** Who is told of what mysql2 answers. */
interface Answer {
  /** Where the connection is lost, its loss is told, and what mysql2 makes of it comes too late for anybody. */
  done: Done<unknown[]>;
}

function nobodyListens(): void {}

/** What stands in for the caller's callback until the commands are sent. */
function noteFor(answer: Answer): MysqlCallback {
  return (error, ...values) => answer.done(error, values);
}

/** Runs a method of mysql2's connection without a connection: it makes its commands and adds them to the recorder. */
export function record(
  recorder: Recorder,
  method: 'query' | 'execute' | 'prepare' | 'ping',
  args: readonly unknown[],
): RecordedCall {
  const answer: Answer = { done: nobodyListens };
  const note = noteFor(answer);
  // A query that somebody made before brings its callback along.
  const given = args[0] as Partial<MysqlCommand> | undefined;
  const at = args.findIndex((arg) => typeof arg === 'function');
  let callback = args[at] as MysqlCallback | undefined;
  if (!callback && given?.onResult && typeof given.execute === 'function') {
    callback = given.onResult;
    given.onResult = note;
  }
  const methods = recorder as unknown as Record<typeof method, (...args: unknown[]) => MysqlCommand>;
  methods[method](...(at === -1 ? args : args.with(at, note)));
  return new RecordedCall(recorder.commands, { callback, answer, isQuery: method === 'query' });
}

/**
 * Hands a prepared statement to `callback` whose commands go through `face`, as all others: mysql2 keeps prepared
 * statements with the physical connection.
 */
export function handOutStatement(face: MysqlConnection, callback: MysqlCallback): MysqlCallback {
  return (error, statement) => {
    if (error) return callback(error);
    callback(null, Object.create(statement as MysqlPreparedStatement, { _connection: { value: face } }));
  };
}

/** The text of a command without the values of its parameters: mysql2 writes them into the text of a query. */
export function textOf({ _queryOptions, sql, statement, query }: MysqlCommand): string | undefined {
  const found = _queryOptions ? _queryOptions.sql : (sql ?? statement?.query ?? query);
  return typeof found === 'string' ? found : undefined;
}

/** A recorded call that consists of one command which was made elsewhere. */
export function recordCommand(command: MysqlCommand): RecordedCall {
  const answer: Answer = { done: nobodyListens };
  const callback = command.onResult;
  if (callback) command.onResult = noteFor(answer);
  return new RecordedCall([command], { callback, answer });
}

/** What mysql2 tells of a statement without rows, for one that is not sent. */
export function answerWithoutServer({ callback, command }: RecordedCall): unknown[] {
  if (!callback) process.nextTick(() => command.emit('end'));
  return [{ fieldCount: 0, affectedRows: 0, insertId: 0, info: '', serverStatus: 3, warningStatus: 0 }];
}

const classes = new WeakMap<object, MysqlConnectionClass>();

/**
 * The class of a pool's connections, which mysql2 does not export: one is made as the pool makes it, on a stream that
 * leads nowhere.
 */
export function connectionClassOf(pool: MysqlPool): MysqlConnectionClass {
  const known = classes.get(pool.constructor);
  if (known) return known;
  let made: MysqlConnection | undefined;
  const connectionConfig = withMembers(pool.config.connectionConfig, {
    stream: new EventEmitter(),
    connectTimeout: 0,
  });
  const standIn = withMembers(pool, {
    config: { ...pool.config, connectionLimit: 0, connectionConfig },
    emit: () => false,
    _createConnectionConfig: () => connectionConfig,
    _freeConnections: { length: 0 },
    _allConnections: { length: 0, push: (connection: MysqlConnection) => void (made = connection) },
  });
  (Object.getPrototypeOf(pool) as MysqlPool).getConnection.call(standIn, () => {});
  const found = made!.constructor as MysqlConnectionClass;
  classes.set(pool.constructor, found);
  return found;
}

function withMembers<T extends object>(target: T, members: object): T {
  return Object.create(target, Object.getOwnPropertyDescriptors(members)) as T;
}

/** An object that methods of mysql2's connection run on without a connection: it keeps the commands that they make. */
export interface Recorder extends MysqlConnection {
  readonly commands: MysqlCommand[];
}

type RecorderClass = new (config: MysqlConnectionConfig, commands: MysqlCommand[]) => Recorder;

const recorders = new WeakMap<object, RecorderClass>();

/** A recorder for one call. Without a configuration it has the pool's. */
export function recorderOf(
  pool: MysqlPool,
  config: MysqlConnectionConfig = pool.config.connectionConfig,
): Recorder {
  let Made = recorders.get(pool.constructor);
  if (!Made) {
    Made = recorderClassOf(pool);
    recorders.set(pool.constructor, Made);
  }
  return new Made(config, []);
}

/** With the methods of mysql2's connection, and without its constructor, which opens one. */
function recorderClassOf(pool: MysqlPool): RecorderClass {
  class Made {
    readonly config: MysqlConnectionConfig;
    readonly commands: MysqlCommand[];

    constructor(config: MysqlConnectionConfig, commands: MysqlCommand[]) {
      this.config = config;
      this.commands = commands;
    }

    addCommand(command: MysqlCommand): MysqlCommand {
      this.commands.push(command);
      return command;
    }
  }
  // V8 is slow with objects that become a prototype, so no recorder inherits from a connection.
  Object.setPrototypeOf(Made.prototype, connectionClassOf(pool).prototype as object);
  return Made as unknown as RecorderClass;
}
