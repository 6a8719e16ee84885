import type { EventEmitter } from 'node:events';
import { settledWithin, systemClock } from '../../../core/index.js';
import { type CastField, castValue } from './mysql-values.js';
import type { MysqlWire, WireAnswer, WireResult } from './mysql-wire.js';

/** The parts of `mysql2` that are used, in callback style. Read in mysql2 3.24. */
export interface Mysql2Connection extends EventEmitter {
  readonly config: { readonly multipleStatements?: boolean; readonly compress?: boolean };
  query(options: object): Mysql2Command;
  connect(callback: (error: Error | null) => void): void;
  end(callback: (error?: Error) => void): unknown;
  destroy(): void;
  write(bytes: Uint8Array): void;
  /** The numbers of packets, which begin anew with each command. */
  _bumpSequenceId(by: number): void;
}

interface Mysql2Command extends EventEmitter {
  /** Reads one packet of the answer. */
  execute: (packet: Mysql2Packet | undefined, connection: unknown) => boolean;
  /** Writes the command, and returns what reads the first packet of its answer. */
  start: (packet: undefined, connection: object) => unknown;
  /** Null until its turn in the queue has come. */
  readonly next: unknown;
}

/** One that is to be written. */
interface Mysql2Outgoing {
  readonly buffer: Uint8Array;
  writeHeader(sequenceId: number): void;
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
/** Characters of what is written before its turn. */
const MAX_AHEAD = 1_000_000;

/** A connection of mysql2. `close` is how it is given up: by itself, or by its pool. */
export class Mysql2Wire implements MysqlWire {
  readonly driver = 'mysql2';
  readonly native: Mysql2Connection;
  readonly takesSeveral: boolean;
  readonly #close: (() => void) | undefined;
  /** End what waits for an answer: a command without a callback is not told that the connection was lost. */
  readonly #waiting = new Set<(error: Error) => void>();
  #hasAnswered = false;
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
      if (this.#mayWriteAhead(sql) && command.next === null) writeAhead(command, this.native);
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
        this.#hasAnswered = true;
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

  /** Not before the handshake is over, nor what takes more than one packet, or is numbered across the commands. */
  #mayWriteAhead(sql: string): boolean {
    return this.#hasAnswered && sql.length <= MAX_AHEAD && !this.native.config.compress;
  }

  #lose(error: Error): void {
    this.lost ??= error;
    for (const end of this.#waiting) end(this.lost);
  }
}

/**
 * mysql2 writes a command once the one before it is answered, and the server would wait for that. This one is written at once,
 * and is read in its turn.
 */
function writeAhead(command: Mysql2Command, connection: Mysql2Connection): void {
  const writePacket = (packet: Mysql2Outgoing): void => {
    packet.writeHeader(0);
    connection.write(packet.buffer);
  };
  const reading = command.start(
    undefined,
    Object.create(connection, { writePacket: { value: writePacket } }),
  );
  command.start = () => {
    connection._bumpSequenceId(1);
    return reading;
  };
}
