import { EventEmitter } from 'node:events';
import type {
  MysqlCallback,
  MysqlCommand,
  MysqlConnection,
  MysqlConnectionClass,
  MysqlConnectionConfig,
  MysqlPool,
} from './mysql2-types.js';

/** A call of a method of mysql2's connection whose commands are not sent yet. */
export interface RecordedCall {
  /** What the method returned: the last command. */
  readonly command: MysqlCommand;
  readonly commands: readonly MysqlCommand[];
  /** The caller's callback; without one it listens to the command's events. */
  readonly callback: MysqlCallback | undefined;
  /** Settles with what mysql2 tells a callback, once the commands are sent. Pending for ever without a callback. */
  readonly answer: Promise<unknown[]>;
}

/** Runs a method of mysql2's connection without a connection: it makes its commands and adds them to the recorder. */
export function record(
  recorder: Recorder,
  method: 'query' | 'execute' | 'prepare' | 'ping',
  args: readonly unknown[],
): RecordedCall {
  const { promise, note } = answerOf();
  // A query that somebody made before brings its callback along.
  const given = args[0] as Partial<MysqlCommand> | undefined;
  let callback = args.find((arg) => typeof arg === 'function') as MysqlCallback | undefined;
  if (!callback && given?.onResult && typeof given.execute === 'function') {
    callback = given.onResult;
    given.onResult = note;
  }
  const methods = recorder as unknown as Record<typeof method, (...args: unknown[]) => MysqlCommand>;
  const command = methods[method](...args.map((arg) => (callback && arg === callback ? note : arg)));
  const { commands } = recorder;
  return { command, commands, callback, answer: promise };
}

/** A recorded call that consists of one command which was made elsewhere. */
export function recordCommand(command: MysqlCommand): RecordedCall {
  const { promise, note } = answerOf();
  const callback = command.onResult;
  if (callback) command.onResult = note;
  return { command, commands: [command], callback, answer: promise };
}

function answerOf(): { promise: Promise<unknown[]>; note: MysqlCallback } {
  let note: MysqlCallback = () => {};
  const promise = new Promise<unknown[]>((resolve, reject) => {
    note = (error, ...values) => (error ? reject(error) : resolve(values));
  });
  // Where the connection is lost, its loss is told, and what mysql2 makes of it comes too late for anybody.
  promise.catch(() => {});
  return { promise, note };
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

const prototypes = new WeakMap<object, object>();

/** A recorder for one call. Without a configuration it has the pool's. */
export function recorderOf(
  pool: MysqlPool,
  config: MysqlConnectionConfig = pool.config.connectionConfig,
): Recorder {
  let prototype = prototypes.get(pool.constructor);
  if (!prototype) {
    prototype = withMembers(connectionClassOf(pool).prototype as object, {
      addCommand(this: Recorder, command: MysqlCommand) {
        this.commands.push(command);
        return command;
      },
    });
    prototypes.set(pool.constructor, prototype);
  }
  // V8 is slow with objects that become a prototype, so no recorder inherits from a connection.
  return Object.assign(Object.create(prototype), { config, commands: [] }) as Recorder;
}
