import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { message, MessageReader } from '../../harness/wire-messages.js';

/** A statement that psql sent, and the data that it sent behind it. */
export type Sent = string | { readonly copy: string; readonly data: string };

const TEXT_FORMAT = Buffer.from([0, 0, 0]);
const READY = message('Z', Buffer.from('I'));

/**
 * What psql sends of a script. It talks to a server that says yes to everything, so that no statement has to make sense:
 * what is seen is the reading of the script alone.
 */
export async function sentByPsql(script: string, program: string): Promise<readonly Sent[]> {
  const sent: Sent[] = [];
  const server = createServer((socket) => answer(socket, sent));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `postgresql://nobody@127.0.0.1:${port}/none?sslmode=disable&gssencmode=disable`;
  const psql = spawn(program, ['-X', '-q', '-f', '-', url], {
    env: { ...process.env, PGCLIENTENCODING: 'UTF8', LC_ALL: 'C.UTF-8' },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  psql.stdin.end(script);
  await once(psql, 'close');
  server.close();
  await once(server, 'close');
  return sent;
}

function answer(socket: Socket, sent: Sent[]): void {
  const reader = new MessageReader('startup');
  let copy: { statement: string; data: string } | undefined;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    reader.push(chunk);
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      switch (next.type) {
        case '':
          reader.phase = 'typed';
          socket.write(
            Buffer.concat([
              message('R', Buffer.alloc(4)),
              message('S', 'server_version', '15.18'),
              message('S', 'client_encoding', 'UTF8'),
              message('S', 'standard_conforming_strings', 'on'),
              READY,
            ]),
          );
          break;
        case 'Q': {
          const text = next.body.toString('utf8', 0, next.body.length - 1);
          const statement = essence(text);
          if (/^copy\b.*\bfrom std(?:in|out)\b/i.test(statement)) {
            copy = { statement, data: '' };
            socket.write(message('G', TEXT_FORMAT));
            break;
          }
          if (statement !== '') sent.push(statement);
          socket.write(Buffer.concat([message('C', 'OK'), READY]));
          break;
        }
        case 'd':
          copy!.data += next.body.toString('utf8');
          break;
        case 'c':
          // psql up to 17 sends the end of the data as well, where the server stops anyway.
          sent.push({ copy: copy!.statement, data: copy!.data.replace(/\\\.\r?\n$/, '') });
          socket.write(Buffer.concat([message('C', 'COPY 0'), READY]));
          break;
        case 'X':
          socket.end();
          break;
        default:
          throw new Error(`psql sent ${next.type}`);
      }
    }
  });
}

const QUOTED_OR_COMMENT =
  /((?<![\w$\u0080-\uffff])e'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<![\w$\u0080-\uffff])(\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)[^]*?\2)|--[^\n\r]*|\/\*/giu;
const COMMENT_EDGE = /\/\*|\*\//g;

/** A statement without what one psql sends and another does not: comments, the last semicolon, the size of white space. */
export function essence(statement: string): string {
  let result = '';
  let from = 0;
  for (let match; (match = next(QUOTED_OR_COMMENT, { statement, from })) !== undefined;) {
    const [token, quoted] = match;
    result += statement.slice(from, match.index) + (quoted ?? ' ');
    from = match.index + token.length;
    for (let depth = token === '/*' ? 1 : 0; depth > 0;) {
      const edge = next(COMMENT_EDGE, { statement, from })!;
      depth += edge[0] === '/*' ? 1 : -1;
      from = edge.index + 2;
    }
  }
  result += statement.slice(from);
  return result
    .replaceAll(/[ \t\n\r\f\v]+/g, ' ')
    .replace(/[ ;]+$/, '')
    .replace(/^ /, '');
}

function next(
  pattern: RegExp,
  { statement, from }: { statement: string; from: number },
): RegExpExecArray | undefined {
  pattern.lastIndex = from;
  return pattern.exec(statement) ?? undefined;
}
