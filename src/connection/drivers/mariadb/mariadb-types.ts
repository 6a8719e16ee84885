/**
 * The parts of the `mariadb` connector that holdfast uses, as structural types. Its promise API. Read in mariadb 3.5.
 */
import type { Readable } from 'node:stream';

export type MariadbSql =
  string | { readonly sql: string; readonly rowsAsArray?: boolean; readonly nestTables?: boolean };

/** What the methods that send a statement are called with, and answer. */
type Send = (sql: MariadbSql, values?: unknown) => Promise<unknown>;

export interface MariadbPrepared {
  execute(values?: unknown): Promise<unknown>;
  executeStream(values?: unknown): Readable;
  close(): unknown;
}

export interface MariadbConnection {
  readonly threadId: number | null;
  /** What the server says of the connection; `status` holds the flags of its last answer. */
  readonly info: { status: number; fatalError?(error: Error, isReported: boolean): void };
  query: Send;
  execute: Send;
  batch: Send;
  prepare(sql: MariadbSql): Promise<MariadbPrepared>;
  queryStream(sql: MariadbSql, values?: unknown): Readable;
  ping(timeout?: number): Promise<unknown>;
  isValid(): boolean;
  on(event: 'error' | 'end', listener: (error?: Error) => void): unknown;
  off(event: 'error' | 'end', listener: (error?: Error) => void): unknown;
  release: () => Promise<void>;
  end: () => Promise<void>;
  close: () => unknown;
  destroy: () => void;
}

/** A pool of `mariadb`, in promise style. */
export interface MariadbPoolLike {
  getConnection(): Promise<unknown>;
  query(...args: never[]): unknown;
  execute(...args: never[]): unknown;
  batch(...args: never[]): unknown;
  end(): Promise<void>;
  totalConnections(): number;
  activeConnections(): number;
  idleConnections(): number;
  taskQueueSize(): number;
}

/** {@link MariadbPoolLike} with the call signatures that this driver uses. */
export interface MariadbPool {
  readonly closed: boolean;
  getConnection: () => Promise<MariadbConnection>;
  query: Send;
  execute: Send;
  batch: Send;
  importFile: (options: object) => Promise<void>;
  end: () => Promise<void>;
  totalConnections(): number;
  activeConnections(): number;
  idleConnections(): number;
  taskQueueSize(): number;
}
