/**
 * The parts of `pg` that holdfast uses, as structural types: an application needs neither `@types/pg` nor one
 * certain copy of `pg`. Read in pg 8.23 and pg-pool 3.14.
 */
import type { EventEmitter } from 'node:events';

export type PgCallback = (error: Error | null | undefined, result?: unknown) => void;
export type PgRelease = (error?: Error | boolean) => void;
export type PgConnectCallback = (
  error: Error | undefined,
  client: PgClient | undefined,
  done: PgRelease,
) => void;

/** What a query has been answered so far. */
export interface PgQueryResult {
  command?: string | null;
}

/** pg's `Query`: also what `client.query()` makes of a text or a config object. */
export interface PgQuery {
  text: string;
  name?: string;
  values?: unknown[];
  rows?: number;
  queryMode?: string;
  query_timeout?: number;
  callback?: PgCallback;
  readonly types?: object;
  readonly _rowMode?: string;
  readonly _result?: PgQueryResult;
  /** An array once the text proved to hold several statements. */
  readonly _results?: readonly PgQueryResult[] | PgQueryResult;
  submit: (this: PgQuery, connection: PgConnection) => Error | null;
  handleDataRow: (this: PgQuery, message: { fields: (Buffer | string | null)[] }) => void;
  handleCommandComplete: (this: PgQuery, message: { text: string }, connection: PgConnection) => void;
}

export type PgQueryConstructor = new (config: unknown, values?: unknown) => PgQuery;

/** The socket of a connection, or what stands in for it. */
export interface PgStream {
  readonly writable: boolean;
  /** Absent where something else than a socket stands in for it. */
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
  cork?(): void;
  uncork?(): void;
  write(bytes: Uint8Array): unknown;
  destroy(): void;
  /** Absent where something else than a socket stands in for it. */
  unref?(): unknown;
}

export interface PgConnection extends EventEmitter {
  /** Texts of the named statements that this connection knows, by name. */
  readonly parsedStatements: Readonly<Record<string, string | undefined>>;
  stream: PgStream;
  connect(port: number | string, host?: string): void;
  cancel(processId: number, secretKey: unknown): void;
  flush(): void;
}

export interface PgClient extends EventEmitter {
  readonly connection: PgConnection;
  /** What it tells the server at the login. */
  readonly connectionParameters: {
    application_name?: string | undefined;
    query_timeout?: number | false | undefined;
  };
  readonly host: string;
  readonly port: number;
  readonly processID?: number | null;
  readonly secretKey?: unknown;
  /** False while the server has not said ReadyForQuery after the last statement. */
  readonly readyForQuery: boolean;
  readonly _ending?: boolean;
  /** False once the connection is lost. */
  readonly _queryable?: boolean;
  query: (config: unknown, values?: unknown, callback?: unknown) => unknown;
  release: PgRelease;
  connect(): Promise<unknown>;
  readonly end: (this: PgClient, callback?: () => void) => Promise<void>;
  getTransactionStatus?(): 'I' | 'T' | 'E' | null;
}

export type PgClientConstructor = (new (options: object) => PgClient) & {
  readonly Query: PgQueryConstructor;
};

/** A `pg.Pool`, or a subclass of it. */
export interface PgPoolLike {
  readonly options: { max?: number };
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
  connect(...args: never[]): unknown;
  query(...args: never[]): unknown;
  end(...args: never[]): unknown;
  on(event: string, listener: (...args: never[]) => void): unknown;
}

/** {@link PgPoolLike} with the call signatures that this driver uses. */
export interface PgPool extends EventEmitter {
  readonly options: {
    max: number;
    readonly min?: number;
    readonly onConnect?: (client: PgClient) => unknown;
    /** Not enumerable. */
    readonly password?: unknown;
  };
  readonly Client: PgClientConstructor;
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
  readonly ending: boolean;
  /** The constructor that the pool makes its promises with. */
  readonly Promise: PromiseConstructor;
  connect: (callback?: PgConnectCallback) => Promise<PgClient> | undefined;
  query: (config: unknown, values?: unknown, callback?: unknown) => unknown;
}
