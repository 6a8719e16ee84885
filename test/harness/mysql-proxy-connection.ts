import type { ArmedFault } from './faults.js';
import { ProxiedSockets } from './proxied-sockets.js';
import type { SeenStatement } from './seen-statement.js';
import type { ErrorFields } from './wire-messages.js';

const COM_QUERY = 0x03;
const COM_PREPARE = 0x16;
const COM_EXECUTE = 0x17;

/** Splits a stream into MySQL's packets: three bytes of length, one of sequence, the payload. */
class PacketReader {
  private rest: Buffer = Buffer.alloc(0);

  *read(chunk: Buffer): Generator<Buffer> {
    this.rest = Buffer.concat([this.rest, chunk]);
    while (this.rest.length >= 4 && this.rest.length >= 4 + this.rest.readUIntLE(0, 3)) {
      const end = 4 + this.rest.readUIntLE(0, 3);
      const packet = this.rest.subarray(0, end);
      this.rest = this.rest.subarray(end);
      yield packet;
    }
  }
}

/**
 * One client of the proxy and its connection to the server, in MySQL's protocol. A fault acts on a statement that
 * is sent when the earlier ones are answered, which is how mysql2 sends them all.
 */
export class MysqlProxyConnection extends ProxiedSockets {
  private readonly frontend = new PacketReader();
  private readonly backend = new PacketReader();
  private readonly prepared = new Map<number, string>();
  /** The text of a PREPARE whose answer brings the statement's number. */
  private preparing: string | undefined;
  private latest = '';
  private pid: number | undefined;
  private cutAfter: { armed: ArmedFault; statement: SeenStatement } | undefined;

  protected onClientData(chunk: Buffer): void {
    this.whenHandled(() => this.handleClientChunk(chunk));
  }

  private async handleClientChunk(chunk: Buffer): Promise<void> {
    for (const packet of this.frontend.read(chunk)) {
      // Only a command begins a new sequence; the packets of the login go on with the server's.
      const text = packet[3] === 0 ? this.textOf(packet) : undefined;
      if (text === undefined) this.server.write(packet);
      else await this.handleStatement(packet, text);
      if (this.isCut || this.isLost) return;
    }
  }

  /** The text of a statement that is executed by this packet. */
  private textOf(packet: Buffer): string | undefined {
    const body = packet.subarray(5);
    switch (packet[4]) {
      case COM_QUERY:
        return withoutAttributes(body).toString();
      case COM_PREPARE:
        this.preparing = this.latest = body.toString();
        return undefined;
      case COM_EXECUTE:
        // MariaDB's connector may execute what it has just prepared without knowing its number.
        return this.prepared.get(body.readInt32LE(0)) ?? this.latest;
      default:
        return undefined;
    }
  }

  private async handleStatement(packet: Buffer, text: string): Promise<void> {
    this.flights += 1;
    const statements = statementsOf(text).map((each): SeenStatement => ({
      text: each,
      connection: this.id,
      pid: this.pid,
      flight: this.flights,
      protocol: packet[4] === COM_QUERY ? 'simple' : 'extended',
      outcome: 'sent',
    }));
    for (const statement of statements) this.host.saw(statement);
    for (const armed of this.host.faults) {
      const statement = statements.find((each) => armed.takes(each));
      if (!statement) continue;
      const { fault } = armed;
      if (fault.action !== 'hold' && fault.action !== 'cut-after') statement.outcome = 'faulted';
      if (fault.action === 'cut-after') this.cutAfter = { armed, statement };
      else armed.act(statement);
      if (fault.action === 'fail') {
        this.refuse(statement, statements, fault);
        return;
      }
      if (fault.action === 'cut-before') return this.cut();
      if (fault.action === 'black-hole') return this.lose();
      if (fault.action === 'hold') {
        const gone = new Promise((resolve) => this.client.once('close', resolve));
        await Promise.race([armed.whenReleased(), gone]);
        if (this.isCut || this.isLost) return;
      }
    }
    this.server.write(packet);
  }

  /** The server stops at the first statement of a packet that fails. */
  private refuse(failed: SeenStatement, statements: readonly SeenStatement[], error: ErrorFields): void {
    const [first, ...behind] = statements;
    if (failed !== first)
      throw new Error(`only the first statement of a packet can fail here: ${failed.text}`);
    for (const statement of behind) statement.outcome = 'skipped';
    this.client.write(errorPacket(error));
  }

  protected onServerData(chunk: Buffer): void {
    if (this.isLost) return;
    for (const packet of this.backend.read(chunk)) {
      this.pid ??= threadIdOf(packet);
      if (this.preparing !== undefined && packet[4] === 0)
        this.prepared.set(packet.readInt32LE(5), this.preparing);
      this.preparing = undefined;
      if (this.cutAfter) {
        const { armed, statement } = this.cutAfter;
        this.cut();
        return armed.act(statement);
      }
      this.toClient.push(() => this.client.write(packet));
    }
  }
}

/** From 8.0.23 on MySQL lets a client put attributes in front of the text; mysql2 does, and says that there are none. */
function withoutAttributes(body: Buffer): Buffer {
  return body[0] === 0 && body[1] === 1 ? body.subarray(2) : body;
}

/** holdfast sends control statements in one packet with the query behind them, in which there is no semicolon. */
function statementsOf(text: string): string[] {
  return /^(?:START TRANSACTION|(?:RELEASE )?SAVEPOINT holdfast_)[^;]*;/.test(text)
    ? text.split(';')
    : [text];
}

/** The server's greeting: protocol 10, its version as a terminated string, the number of the connection. */
function threadIdOf(packet: Buffer): number {
  return packet[4] === 10 ? packet.readUInt32LE(packet.indexOf(0, 5) + 1) : 0;
}

function errorPacket({ sqlstate, message, errno = 1105 }: ErrorFields): Buffer {
  const body = Buffer.from(`   #${sqlstate}${message}`);
  body[0] = 0xff;
  body.writeUInt16LE(errno, 1);
  const header = Buffer.alloc(4);
  header.writeUIntLE(body.length, 0, 3);
  header[3] = 1;
  return Buffer.concat([header, body]);
}
