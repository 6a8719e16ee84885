import type { EventEmitter } from 'node:events';
import { settledWithin, systemClock } from '../../../core/index.js';
import { type CastField, castValue } from './mysql-values.js';
import type { MysqlWire, WireAnswer, WireResult } from './mysql-wire.js';

/** The parts of `mysql2` that are used, in callback style. Read in mysql2 3.24. */
export interface Mysql2Connection extends EventEmitter {
  readonly config: { readonly multipleStatements?: boolean };
  query(options: object): Mysql2Command;
  connect(callback: (error: Error | null) => void): void;
  end(callback: (error?: Error) => void): unknown;
  destroy(): void;
}

interface Mysql2Command extends EventEmitter {
  /** Reads one packet of the answer. */
  execute: (packet: Mysql2Packet | undefined, connection: unknown) => boolean;
}

interface Mysql2Packet {
  isEOF(): boolean;
  eofStatusFlags(): number;
  eofWarningCount(): number;
}

interface Mysql2Header {
  readonly affectedRows?: number;
  readonly serverStatus?: number;
  readonly warningStatus?: number;
}

const CLOSE_TIMEOUT_MS = 2000;

/** A connection of mysql2. `close` is how it is given up: by itself, or by its pool. */
export class Mysql2Wire implements MysqlWire {
  readonly driver = 'mysql2';
  readonly native: Mysql2Connection;
  readonly takesSeveral: boolean;
  readonly #close: (() => void) | undefined;
  /** End what waits for an answer: a command without a callback is not told that the connection was lost. */
  readonly #waiting = new Set<(error: Error) => void>();
  status = 0;
  lost: Error | undefined;

  constructor(connection: Mysql2Connection, close?: () => void) {
    this.native = connection;
    this.takesSeveral = connection.config.multipleStatements === true;
    this.#close = close;
    connection.on('error', (error: Error) => this.#lose(error));
    connection.on('end', () => this.#lose(new Error('The connection was closed.')));
  }

  send(sql: string, keepsRows: (place: number) => boolean): Promise<WireAnswer> {
    return new Promise((resolve) => {
      const results: WireResult[] = [];
      let open: { columns: string[]; rows: unknown[][]; count: number } | undefined;
      let ends = 0;
      // Without a callback mysql2 keeps no rows.
      const command = this.native.query({
        sql,
        rowsAsArray: true,
        typeCast: (field: CastField) => castValue(field),
      });
      const { execute } = command;
      command.execute = (packet, connection) => {
        // The first EOF of a result stands behind its columns, the second behind its rows.
        if (packet?.isEOF() && open && ends++ === 1) {
          this.status = packet.eofStatusFlags();
          const { columns, rows, count } = open;
          results.push({ columns, rows, rowCount: count, warningCount: packet.eofWarningCount() });
          open = undefined;
        }
        return execute.call(command, packet, connection);
      };
      command.on('fields', (fields: readonly { readonly name: string }[] | undefined) => {
        if (!fields) return;
        open = { columns: fields.map(({ name }) => name), rows: [], count: 0 };
        ends = 0;
      });
      command.on('result', (result: unknown, place?: number) => {
        if (place !== undefined && open) {
          open.count++;
          if (keepsRows(results.length)) open.rows.push(result as unknown[]);
          return;
        }
        const { affectedRows = 0, serverStatus, warningStatus = 0 } = result as Mysql2Header;
        if (serverStatus !== undefined) this.status = serverStatus;
        results.push({ columns: undefined, rows: [], rowCount: affectedRows, warningCount: warningStatus });
      });
      const end = (error?: Error): void => {
        this.#waiting.delete(end);
        resolve({ results, error });
      };
      this.#waiting.add(end);
      command.on('error', (error: Error & { fatal?: boolean }) => {
        if (error.fatal) this.#lose(error);
        end(error);
      });
      command.on('end', () => end());
    });
  }

  async close(): Promise<void> {
    if (this.#close) return this.#close();
    if (!this.lost) {
      const ended = new Promise<void>((resolve) => this.native.end(() => resolve()));
      await settledWithin(systemClock, CLOSE_TIMEOUT_MS, ended);
    }
    this.native.destroy();
  }

  #lose(error: Error): void {
    this.lost ??= error;
    for (const end of this.#waiting) end(this.lost);
  }
}
