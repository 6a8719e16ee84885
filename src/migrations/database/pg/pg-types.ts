/** The parts of `pg` that a migration's session uses, as structural types: the application brings the driver. Read in pg 8.23. */
import type { EventEmitter } from 'node:events';

export interface PgStream extends EventEmitter {
  readonly writable: boolean;
  readonly writableNeedDrain?: boolean;
  setTimeout(timeoutMs: number, callback: () => void): unknown;
  destroy(): void;
}

/** The protocol below a client. Emits each message of the server by its name. */
export interface PgConnection extends EventEmitter {
  readonly stream: PgStream;
  readonly sslNegotiation?: string;
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
  connect(port: number | string, host?: string): void;
  cancel(processId: number, secretKey: unknown): void;
  requestSsl(): void;
}

/** What `client.query()` runs besides texts. Every method is called by the client as messages come in. */
export interface PgSubmittable {
  callback?: () => void;
  submit(connection: PgConnection): Error | null;
  handleRowDescription(): void;
  handleDataRow(): void;
  handleCommandComplete(message: { readonly text: string }): void;
  handleEmptyQuery(): void;
  handlePortalSuspended(): void;
  handleCopyInResponse(connection: PgConnection): void;
  handleCopyData(): void;
  handleReadyForQuery(): void;
  handleError(error: Error): void;
}

export interface PgQueryConfig {
  readonly text: string;
  readonly values: readonly unknown[];
  readonly types: { getTypeParser(oid: number, format?: string): (value: string) => unknown };
}

export interface PgResult {
  readonly rows: object[];
}

export interface PgNotice {
  readonly severity?: string;
  readonly code?: string;
  readonly message?: string;
}

export interface PgClient extends EventEmitter {
  readonly connection?: PgConnection;
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  readonly database?: string;
  readonly ssl?: unknown;
  readonly processID: number | null;
  readonly secretKey: unknown;
  /** False while the server has not said ReadyForQuery after the last statement. */
  readonly readyForQuery: boolean;
  readonly connectionParameters?: { query_timeout?: unknown };
  /** Whether statements are sent before the one in front of them was answered; such a client refuses submittables. */
  pipeline?: boolean;
  connect(): Promise<unknown>;
  /** An array where the text holds several statements. */
  query(config: PgQueryConfig): Promise<PgResult | PgResult[]>;
  query(query: PgSubmittable): unknown;
  end(): Promise<void>;
}

/** A client that a pool has lent. */
export interface PgPoolClient extends PgClient {
  release(destroy?: Error | boolean): void;
}

export interface PgPool {
  readonly options: Readonly<Record<string, unknown>>;
  readonly Client?: new (options: object) => PgClient;
  connect(): Promise<PgPoolClient>;
}

/** The module `pg`. */
export interface PgModule {
  readonly Client: new (options: object) => PgClient;
}
