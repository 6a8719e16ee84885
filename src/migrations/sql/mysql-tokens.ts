import type { ScriptReader } from './script-reader.js';

const HASH = 0x23;
const DASH = 0x2d;
const SLASH = 0x2f;
const DELETE = 0x7f;
/** The last of the characters that are white space or control characters. */
export const SPACE = 0x20;

/** What a word is made of, before it is known whether it is a keyword. */
const WORD = /[\w$\u0080-\uFFFF]+/y;

/**
 * Code for the server: `/*!80000 … ` of MySQL and `/*M!100100 … ` of MariaDB, read from that version on. With `\-` it
 * is the line with which mariadb-dump begins its files, so that no shell command in them is run: a comment.
 */
const EXECUTABLE = /\/\*M?!\d*(\\-)?/y;
/** As much as has to be seen of a comment to know of which kind it is. */
const COMMENT_LOOK_AHEAD = 14;

/** Whether a comment to the end of the line begins there: `#`, or `--` before white space, a control character or the end. `5--1` is an expression. */
export function isLineComment({ text, ended }: ScriptReader, at: number): boolean | 'unknown' {
  const code = text.charCodeAt(at);
  if (code !== DASH) return code === HASH;
  if (at + 1 === text.length) return ended ? false : 'unknown';
  if (text.charCodeAt(at + 1) !== DASH) return false;
  if (at + 2 === text.length) return ended || 'unknown';
  const next = text.charCodeAt(at + 2);
  return next <= SPACE || next === DELETE;
}

/** Which kind of `/* … ` begins there. */
export function commentAt(
  { text, ended }: ScriptReader,
  at: number,
): 'none' | 'plain' | 'executable' | 'unknown' {
  if (text.charCodeAt(at) !== SLASH) return 'none';
  const seen = text.slice(at, at + COMMENT_LOOK_AHEAD);
  if (seen.length > 1 && !seen.startsWith('/*')) return 'none';
  if (seen.length < COMMENT_LOOK_AHEAD && !ended) return 'unknown';
  if (seen.length === 1) return 'none';
  EXECUTABLE.lastIndex = at;
  const executable = EXECUTABLE.exec(text);
  return executable && executable[1] === undefined ? 'executable' : 'plain';
}

/** Where the code of an executable comment begins. */
export function endOfExecutableMark(text: string, at: number): number {
  EXECUTABLE.lastIndex = at;
  return EXECUTABLE.test(text) ? EXECUTABLE.lastIndex : at;
}

/** Behind the end of a comment, or the complement of where to look for it once more of the text is there. */
export function endOfComment(text: string, from: number): number {
  const found = text.indexOf('*/', from);
  if (found !== -1) return found + 2;
  return ~Math.max(from, text.endsWith('*') ? text.length - 1 : text.length);
}

/** The word at an index: empty where there is none, undefined where it may go on. */
export function wordAt({ text, ended }: ScriptReader, at: number): string | undefined {
  WORD.lastIndex = at;
  const word = WORD.exec(text)?.[0] ?? '';
  return word !== '' && at + word.length === text.length && !ended ? undefined : word;
}
