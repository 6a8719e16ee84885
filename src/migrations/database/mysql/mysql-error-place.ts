import { SEPARATOR } from './mysql-packet.js';

/** What the server quotes, and the line of the statement that it begins in. */
const QUOTE = /near '([\s\S]*)' at line (\d+)\s*$/;

/**
 * A syntax error's message without the statements that followed in the packet: the server quotes up to 80 characters from
 * the place of the error on, whatever they belong to.
 */
export function withoutFollowing(message: string): string {
  return message.replace(
    QUOTE,
    (_, near: string, line: string) => `near '${quotedOf(near)}' at line ${line}`,
  );
}

/** Where in the statement a syntax error is, in UTF-16 code units. */
export function offsetOfError(message: string, statement: string): number | undefined {
  const [, near = '', line] = QUOTE.exec(message) ?? [];
  if (line === undefined) return undefined;
  const start = startOfLine(statement, Number(line));
  const quoted = quotedOf(near);
  if (start === undefined || quoted === '') return statement.length;
  // What its message cannot hold the server writes as a question mark.
  const [plain = ''] = /^[^?]*/.exec(quoted) ?? [];
  const found = statement.indexOf(plain, start);
  return found === -1 ? start : found;
}

function quotedOf(near: string): string {
  // What it quotes may end within the separator.
  const own = near.replace(/\n;$/, SEPARATOR).split(SEPARATOR.trimStart())[0] ?? '';
  return own === near ? own.replace(/\.\.\.$/, '') : own.trimEnd();
}

function startOfLine(text: string, line: number): number | undefined {
  let start = 0;
  for (let current = 1; current < line; current++) {
    start = text.indexOf('\n', start) + 1;
    if (start === 0) return undefined;
  }
  return start;
}
