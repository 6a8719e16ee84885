/**
 * The parts of `mysql2` that holdfast uses, as structural types: an application needs no certain copy of `mysql2`.
 * Read in mysql2 3.24.
 */
import type { EventEmitter } from 'node:events';

export type MysqlCallback = (error: Error | null, ...values: unknown[]) => void;

/** One exchange with the server: a query, a prepare, an execute, a ping. */
export interface MysqlCommand extends EventEmitter {
  /** The text of a query, with its values in it, or of an execute, without. */
  sql?: string | undefined;
  /** The text of a prepare. */
  readonly query?: string | undefined;
  /** What an execute executes. */
  readonly statement?: { readonly query?: string } | undefined;
  /** What the query was asked for with; its text is here as it was given. */
  readonly _queryOptions?: { readonly sql?: string | undefined; readonly attributes?: unknown };
  /** What reads the next packet; none before it begins. */
  next?: unknown;
  onResult?: MysqlCallback | undefined;
  /** Reads one packet of the answer; without a packet it begins. True when the command is over. */
  execute: (packet: MysqlPacket | undefined, connection: MysqlConnection) => boolean;
  /** Reads what the server answers to a statement without rows. */
  doneInsert?: (result: { readonly serverStatus?: number } | null) => unknown;
}

export interface MysqlPacket {
  readonly buffer: Buffer;
  readonly offset: number;
  isError(): boolean;
  isEOF(): boolean;
  eofStatusFlags(): number;
}

/** What mysql2 needs of a packet to send it. */
interface OutgoingPacket {
  readonly buffer: Buffer;
  length(): number;
  writeHeader(sequenceId: number): void;
}

export interface MysqlConnectionConfig {
  readonly clientFlags?: number;
  readonly pool?: unknown;
  readonly stream?: unknown;
  readonly connectTimeout?: number;
  /** Whether the stack of an error is where the promise was asked for. */
  readonly trace?: boolean;
  readonly host?: string;
  readonly port?: number;
  readonly socketPath?: string;
  readonly database?: string;
  readonly user?: string;
  readonly connectAttributes?: Readonly<Record<string, string>>;
}

/** A connection of a mysql2 pool, in callback style. */
export interface MysqlConnection extends EventEmitter {
  readonly config: MysqlConnectionConfig;
  readonly threadId: number | null;
  readonly stream: {
    readonly bytesRead?: number;
    readonly bytesWritten?: number;
    destroy(): void;
    once(event: 'close', listener: () => void): unknown;
    /** Absent where something else than a socket stands in for it. */
    unref?(): unknown;
  };
  /** The command that runs, and those that wait behind it. */
  readonly _command?: unknown;
  readonly _commands: { readonly length: number };
  /** Gone once the pool has given the connection up. */
  readonly _pool: object | null;
  addCommand: (command: MysqlCommand) => MysqlCommand;
  _resetSequenceId(): void;
  writePacket(packet: OutgoingPacket): void;
  /** Calls back once the server has let it in, or has not. */
  connect(callback: (error: Error | null) => void): void;
  query(sql: unknown, ...rest: unknown[]): MysqlCommand;
  execute(sql: unknown, ...rest: unknown[]): MysqlCommand;
  prepare(options: unknown, callback?: MysqlCallback): MysqlCommand;
  promise(this: MysqlConnection | undefined, promiseClass?: unknown): MysqlPromiseConnection;
  release: () => void;
  destroy: () => void;
  end: (callback?: (error?: Error) => void) => unknown;
}

export type MysqlConnectionClass = new (options: { config: MysqlConnectionConfig }) => MysqlConnection;

/** What `connection.promise()` answers. Its methods call those of the connection with a callback. */
export interface MysqlPromiseConnection {
  query: (sql?: unknown, values?: unknown) => Promise<[rows: unknown, fields: unknown]>;
}

/** A prepared statement as `connection.prepare()` hands it out; it sends through the connection that it was made on. */
export interface MysqlPreparedStatement {
  readonly _connection: MysqlConnection;
}

type GetConnection = (callback: (error: Error | null, connection?: MysqlConnection) => void) => void;

/** mysql2's own pool: the one in callback style, which the promise pool wraps. */
export interface MysqlPool extends EventEmitter {
  readonly config: {
    readonly connectionLimit: number;
    readonly maxIdle?: number;
    readonly connectionConfig: MysqlConnectionConfig;
  };
  readonly _allConnections: { readonly length: number };
  readonly _freeConnections: { readonly length: number };
  readonly _connectionQueue: { readonly length: number };
  readonly _closed: boolean;
  getConnection: GetConnection;
  query: (sql: unknown, ...rest: unknown[]) => MysqlCommand;
  execute: (sql: unknown, ...rest: unknown[]) => void;
  releaseConnection: (connection: MysqlConnection) => void;
}

/** A pool of `mysql2` or of `mysql2/promise`. */
export interface Mysql2PoolLike {
  getConnection(...args: never[]): unknown;
  query(...args: never[]): unknown;
  execute(...args: never[]): unknown;
  end(...args: never[]): unknown;
  on(event: string, listener: (...args: never[]) => void): unknown;
}
