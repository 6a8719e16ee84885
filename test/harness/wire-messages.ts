/** One message of the PostgreSQL protocol. Startup messages have no type byte: theirs is the empty string. */
export interface WireMessage {
  readonly type: string;
  readonly body: Buffer;
  /** The whole message as it came. */
  readonly raw: Buffer;
}

const startupHeader = 4;
const typedHeader = 5;

/** Cuts a byte stream into messages, however the network sliced it. */
export class MessageReader {
  private rest: Buffer = Buffer.alloc(0);

  /** Client streams begin with untyped startup messages, until the caller says otherwise. */
  constructor(public phase: 'startup' | 'typed') {}

  /** The next complete message of the bytes so far. */
  next(): WireMessage | undefined {
    const header = this.phase === 'typed' ? typedHeader : startupHeader;
    if (this.rest.length < header) return undefined;
    const size = this.rest.readInt32BE(header - 4) + header - 4;
    if (this.rest.length < size) return undefined;
    const raw = this.rest.subarray(0, size);
    this.rest = this.rest.subarray(size);
    const type = header === typedHeader ? String.fromCharCode(raw[0] ?? 0) : '';
    return { type, body: raw.subarray(header), raw };
  }

  push(chunk: Buffer): void {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
  }
}

export const startupCode = { ssl: 80877103, gss: 80877104, cancel: 80877102 } as const;

/** Reads the zero-terminated strings and numbers of a message body in order. */
export class BodyReader {
  private at = 0;

  constructor(private readonly body: Buffer) {}

  text(): string {
    const end = this.body.indexOf(0, this.at);
    const value = this.body.toString('utf8', this.at, end);
    this.at = end + 1;
    return value;
  }

  char(): string {
    this.at += 1;
    return String.fromCharCode(this.body[this.at - 1] ?? 0);
  }

  int32(): number {
    this.at += 4;
    return this.body.readInt32BE(this.at - 4);
  }
}

export function message(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(`${part}\0`) : part)),
  );
  const header = Buffer.alloc(typedHeader);
  header.write(type, 0, 'latin1');
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

export interface ErrorFields {
  /** SQLSTATE, five characters. */
  readonly sqlstate: string;
  readonly message: string;
  /** MySQL's own number of the error, where the proxy speaks MySQL. Default 1105. */
  readonly errno?: number;
  /** FATAL ends the connection after the error, as the server does. Default ERROR. */
  readonly severity?: 'ERROR' | 'FATAL';
}

export function errorResponse({ sqlstate, message: text, severity = 'ERROR' }: ErrorFields): Buffer {
  return message(
    'E',
    `S${severity}`,
    `V${severity}`,
    `C${sqlstate}`,
    `M${text}`,
    'Rfault_proxy',
    Buffer.of(0),
  );
}

/** The SQLSTATE of an ErrorResponse. */
export function sqlstateOf(body: Buffer): string {
  const fields = new BodyReader(body);
  for (let code = fields.char(); code !== '\0'; code = fields.char()) {
    const value = fields.text();
    if (code === 'C') return value;
  }
  return '';
}

const noCounts = Buffer.alloc(6);

/** Parse, Bind, Execute and Close of a statement without parameters, under names that no client uses. */
export function hiddenStatement(sql: string): readonly Buffer[] {
  const name = 'holdfast_fault';
  return [
    message('P', name, sql, Buffer.alloc(2)),
    message('B', name, name, noCounts),
    message('E', name, Buffer.alloc(4)),
    message('C', Buffer.from('S'), name),
  ];
}

/** A Parse that the server is certain to refuse. */
export function refusedParse(): Buffer {
  return message('P', 'holdfast_fault', 'fault injected by the test', Buffer.alloc(2));
}

export function query(sql: string): Buffer {
  return message('Q', sql);
}
