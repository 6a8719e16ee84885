import type { Readable } from 'node:stream';
import { settledWithin, systemClock } from '../../../core/index.js';
import { type CastField, castValue } from './mysql-values.js';
import type { MysqlWire, WireAnswer, WireResult } from './mysql-wire.js';

/** The parts of the `mariadb` connector that are used, in promise style. Read in mariadb 3.5. */
export interface MariadbConnection {
  readonly info: { readonly status: number; readonly clientCapabilities?: bigint };
  queryStream(options: object): Readable;
  isValid(): boolean;
  on(event: 'error' | 'end', listener: (error?: Error) => void): unknown;
  end(): Promise<void>;
  destroy(): void;
}

interface OkPacket {
  readonly affectedRows: number;
  readonly warningStatus: number;
}

interface Column {
  name(): string;
}

/** https://mariadb.com/kb/en/connection/#capabilities */
const MULTI_STATEMENTS = 1n << 16n;
const CLOSE_TIMEOUT_MS = 2000;

/** A connection of the mariadb connector. `close` is how it is given up: by itself, or by its pool. */
export class MariadbWire implements MysqlWire {
  readonly driver = 'mariadb';
  readonly native: MariadbConnection;
  readonly #close: (() => void) | undefined;
  lost: Error | undefined;

  constructor(connection: MariadbConnection, close?: () => void) {
    this.native = connection;
    this.#close = close;
    connection.on('error', (error) => this.#lose(error));
    connection.on('end', () => this.#lose());
  }

  get takesSeveral(): boolean {
    return ((this.native.info.clientCapabilities ?? 0n) & MULTI_STATEMENTS) !== 0n;
  }

  get status(): number {
    return this.native.info.status;
  }

  send(sql: string, keepsRows: (place: number) => boolean): Promise<WireAnswer> {
    return new Promise((resolve) => {
      const results: WireResult[] = [];
      let open: { columns: string[]; rows: unknown[][]; count: number } | undefined;
      // The connector says nowhere how many warnings the end of a result carries.
      const opened = (): WireResult | undefined =>
        open && { columns: open.columns, rows: open.rows, rowCount: open.count, warningCount: undefined };
      const finish = (): void => {
        const result = opened();
        if (result) results.push(result);
        open = undefined;
      };
      // As a stream it keeps no rows, and an OK packet comes as an object between rows that are arrays.
      const stream = this.native.queryStream({
        sql,
        rowsAsArray: true,
        nestTables: false,
        metaAsArray: false,
        typeCast: (field: CastField) => castValue(field),
      });
      stream.on('fields', (columns: readonly Column[]) => {
        finish();
        open = { columns: columns.map((column) => column.name()), rows: [], count: 0 };
      });
      stream.on('data', (item: unknown[] | OkPacket) => {
        if (!Array.isArray(item)) {
          finish();
          const { affectedRows, warningStatus } = item;
          results.push({ columns: undefined, rows: [], rowCount: affectedRows, warningCount: warningStatus });
        } else if (open) {
          open.count++;
          if (keepsRows(results.length)) open.rows.push(item);
        }
      });
      let failure: Error | undefined;
      stream.on('error', (error: Error & { fatal?: boolean }) => {
        // It calls a statement that was cancelled fatal as well.
        if (error.fatal && !this.native.isValid()) this.#lose(error);
        failure ??= error;
      });
      // Not at the error: the answers before it may wait in the stream still.
      stream.once('end', () => {
        if (!failure) finish();
        // The connector tells the beginning of rows, and their end only by what follows.
        resolve({ results, error: failure, open: opened() });
      });
    });
  }

  async close(): Promise<void> {
    if (this.#close) return this.#close();
    if (!this.lost) await settledWithin(systemClock, CLOSE_TIMEOUT_MS, this.native.end());
    this.native.destroy();
  }

  #lose(error: Error = new Error('The connection was closed.')): void {
    this.lost ??= error;
  }
}
