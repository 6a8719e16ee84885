import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, Connection } from 'pg';
import { MessageReader, message } from './wire-messages.js';

/** The messages of a pipeline, for tests that need to say exactly what is sent. */
export const frontend = {
  query: (sql: string) => message('Q', sql),
  parse: (sql: string, name = '') => message('P', name, sql, Buffer.alloc(2)),
  bind: (statement = '') => message('B', '', statement, Buffer.alloc(6)),
  describe: () => message('D', Buffer.from('P'), ''),
  execute: () => message('E', '', Buffer.alloc(4)),
  sync: () => message('S'),
  flush: () => message('H'),
  copyData: (lines: string) => message('d', Buffer.from(lines)),
  copyDone: () => message('c'),
  /** Parse, Bind and Execute of a statement without parameters. */
  statement: (sql: string) => Buffer.concat([frontend.parse(sql), frontend.bind(), frontend.execute()]),
};

export interface RawPipelineOptions {
  /** Bytes per write. Default: everything in one. */
  readonly sliceBytes?: number;
}

interface BackendMessage {
  readonly name: string;
  readonly text?: string;
  readonly code?: string;
  readonly status?: string;
  readonly fields?: readonly unknown[];
}

/**
 * Sends the messages as they are over a logged-in client, and resolves to the answers up to the last
 * ReadyForQuery or the end of the connection, for example `commandComplete COMMIT`, `error 23505`,
 * `readyForQuery I`, `closed`.
 */
export async function sendRaw(
  client: Client,
  messages: readonly Buffer[],
  options: RawPipelineOptions = {},
): Promise<string[]> {
  const bytes = Buffer.concat(messages);
  const answers: string[] = [];
  let left = countReadyForQuery(bytes);
  const sliceBytes = options.sliceBytes ?? bytes.length;
  await new Promise<void>((resolve) => {
    const end = () => resolve(void answers.push('closed'));
    const exchange = new RawExchange(async (connection) => {
      const onMessage = (answer: BackendMessage) => {
        answers.push(describe(answer));
        if (answer.name === 'readyForQuery' && (left -= 1) === 0) finish(resolve);
      };
      const finish = (act: () => void) => {
        connection.off('message', onMessage);
        connection.off('end', onEnd);
        act();
      };
      const onEnd = () => finish(end);
      connection.on('message', onMessage);
      connection.on('end', onEnd);
      for (let at = 0; at < bytes.length; at += sliceBytes) {
        connection.stream.write(bytes.subarray(at, at + sliceBytes));
        if (sliceBytes < bytes.length) await sleep(0);
      }
    });
    client.query(exchange as never);
  });
  return answers;
}

/** What pg asks of an object given to `client.query`. The answers are read from the connection instead. */
class RawExchange {
  constructor(private readonly write: (connection: Connection) => Promise<void>) {}

  submit(connection: Connection): void {
    void this.write(connection);
  }

  handleError(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleCommandComplete(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyInResponse(): void {}
  handleCopyData(): void {}
  handleReadyForQuery(): void {}
}

function countReadyForQuery(bytes: Buffer): number {
  const reader = new MessageReader('typed');
  reader.push(bytes);
  let count = 0;
  for (let next = reader.next(); next !== undefined; next = reader.next()) {
    if (next.type === 'S' || next.type === 'Q') count += 1;
  }
  return count;
}

function describe({ name, text, code, status, fields }: BackendMessage): string {
  if (name === 'commandComplete') return `${name} ${text}`;
  if (name === 'error') return `${name} ${code}`;
  if (name === 'readyForQuery') return `${name} ${status}`;
  if (name === 'dataRow') return `${name} ${fields?.join(',')}`;
  return name;
}
