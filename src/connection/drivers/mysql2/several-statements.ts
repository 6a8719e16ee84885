import { EventEmitter } from 'node:events';
import type { MysqlCallback, MysqlCommand, MysqlConnection, MysqlPacket } from './mysql2-types.js';
import type { RecordedCall } from './recorded-call.js';

/** CLIENT_MULTI_STATEMENTS: the application itself has asked for it. */
const MULTI_STATEMENTS = 0x10000;
/** How many times control statements have a packet of their own after the option had to be switched off. */
const PAUSE = 100;
/** Beyond that a round trip is the smaller part, and `max_allowed_packet` may leave no room. */
const LONGEST = 64 * 1024;

/** What is no statement that another one could be in front of (a comment, nothing) answers otherwise behind one. */
const CARRIES = /^(?:select|insert|update|delete|replace|with|call)\s/i;
/** What mysql2 sends that the server never reads several statements out of: prepared ones are one by protocol. */
const NEVER_SEVERAL: ReadonlySet<string> = new Set(['Ping', 'Quit', 'Prepare', 'Execute', 'CloseStatement']);

/**
 * A semicolon on the wire. With a connection of `charset: 'latin1'` Node keeps the lower byte of a character and drops the
 * upper one, so that U+013B becomes a semicolon as well.
 */
const SEMICOLON = new RegExp(
  `[${Array.from({ length: 256 }, (_, upper) => `\\u${((upper << 8) | 0x3b).toString(16).padStart(4, '0')}`).join('')}]`,
);

/**
 * Lets START TRANSACTION, SAVEPOINT and RELEASE travel in one packet with the next query. The server executes the
 * statements of a packet one after the other and stops at the first that fails, so a query behind a START TRANSACTION
 * that failed is never executed. It reads several only where the connection has that option, which is switched on when
 * its first transaction begins.
 *
 * The application did not ask for the option, and must not have it: what is injected behind a semicolon could then be
 * a statement. So nothing with a semicolon in it is sent while it is on; it is switched off before.
 */
export class SeveralStatements {
  #state: 'off' | 'on' | 'refused' | 'of the application';
  #pause = 0;

  constructor({ config, writePacket, _resetSequenceId }: Partial<MysqlConnection>) {
    const canSend = writePacket !== undefined && _resetSequenceId !== undefined;
    this.#state =
      (config?.clientFlags ?? 0) & MULTI_STATEMENTS ? 'of the application' : canSend ? 'off' : 'refused';
  }

  /** What is to be sent before this command, so that the server reads no more out of it than without holdfast. */
  before(command: MysqlCommand): MysqlCommand | undefined {
    if (this.#state !== 'on') return undefined;
    const { sql } = command;
    if (typeof sql === 'string' && !SEMICOLON.test(sql)) return undefined;
    if (NEVER_SEVERAL.has(command.constructor.name) || command instanceof SetOption) return undefined;
    this.#state = 'off';
    this.#pause = PAUSE;
    return new SetOption('off');
  }

  /** Whether control statements can travel in front of this call. */
  canCarry({ isQuery, callback, command }: RecordedCall): boolean {
    const { sql, _queryOptions } = command;
    if (!isQuery || !callback || this.#state === 'refused') return false;
    if (this.#pause > 0) {
      this.#pause--;
      return false;
    }
    return (
      typeof sql === 'string' &&
      sql.length <= LONGEST &&
      CARRIES.test(sql) &&
      !SEMICOLON.test(sql) &&
      // MySQL's attributes of a query are those of its first statement.
      _queryOptions?.attributes === undefined
    );
  }

  /** What switches the option on, where that is still to be done. */
  switchOn(): MysqlCommand | undefined {
    if (this.#state !== 'off') return undefined;
    this.#state = 'on';
    return new SetOption('on', () => this.refuse());
  }

  /** From now on each statement has a packet of its own. */
  refuse(): void {
    if (this.#state !== 'of the application') this.#state = 'refused';
    else this.#pause = Infinity;
  }
}

/** COM_SET_OPTION, which mysql2 does not know. */
class SetOption extends EventEmitter implements MysqlCommand {
  readonly #option: 'on' | 'off';
  readonly #onRefused: (() => void) | undefined;
  #sent = false;

  constructor(option: 'on' | 'off', onRefused?: () => void) {
    super();
    this.#option = option;
    this.#onRefused = onRefused;
  }

  /** mysql2 tells it of a lost connection. */
  readonly onResult: MysqlCallback = () => {};

  /** mysql2 asks for it where it is configured with `debug`. */
  stateName(): string {
    return 'setOption';
  }

  execute(packet: MysqlPacket | undefined, connection: MysqlConnection): boolean {
    if (!this.#sent) {
      this.#sent = true;
      connection._resetSequenceId();
      const buffer = Buffer.from([3, 0, 0, 0, 0x1b, this.#option === 'on' ? 0 : 1, 0]);
      connection.writePacket({ buffer, length: () => buffer.length, writeHeader: () => {} });
      return false;
    }
    if (packet?.isError()) {
      this.#onRefused?.();
      // What waits behind it must not be read as several statements.
      if (this.#option === 'off') connection.stream.destroy();
    }
    return true;
  }
}

/** What becomes of control statements in front of a query. */
export interface Carried {
  /** The server has executed one of them, with these flags, and goes on. */
  readonly executed: (flags: number) => void;
  /** The query was not executed, and neither were these: they have a packet of their own each. */
  readonly again: (left: readonly string[]) => void;
}

const MORE_RESULTS = 8;
const PARSE_ERROR = 1064;

/** Has a query send control statements in front of its own text. What mysql2 tells of it, its text included, is as without. */
export function carry(command: MysqlCommand, control: readonly string[], { executed, again }: Carried): void {
  const { execute } = command;
  let sent = false;
  let answered = 0;
  const sendAgain = (): true => {
    const left = control.slice(answered);
    // The command begins anew, and carries nothing.
    answered = control.length;
    command.next = null;
    again(left);
    return true;
  };
  const carrying: MysqlCommand['execute'] = (packet, connection) => {
    if (!sent) {
      sent = true;
      const { sql } = command;
      command.sql = `${control.join(';')};${sql}`;
      try {
        return execute.call(command, packet, connection);
      } finally {
        command.sql = sql;
      }
    }
    if (answered === control.length || !packet) return execute.call(command, packet, connection);
    const { buffer, offset } = packet;
    if (packet.isError()) {
      // It does not read several statements, whatever it has answered before: the first has no mistake.
      if (answered === 0 && buffer.readUInt16LE(offset + 1) === PARSE_ERROR) return sendAgain();
      return execute.call(command, packet, connection);
    }
    answered++;
    // OK, rows affected, insert id: one byte each; then the flags.
    const flags = buffer.readUInt16LE(offset + 3);
    executed(flags);
    return flags & MORE_RESULTS ? false : sendAgain();
  };
  command.execute = carrying;
}
