// The characters of PostgreSQL's lexer, as src/backend/parser/scan.l has them. Above ASCII everything is a letter there:
// a no-break space too.

const IDENTIFIER_START = 1;
const IDENTIFIER_PART = 2;
const SPACE = 4;
const STOP = 8;

const CLASSES = new Uint8Array(0x80);
mark(IDENTIFIER_START, 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_');
mark(IDENTIFIER_PART, 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789$');
mark(SPACE, ' \t\n\r\f\v');
mark(STOP, '\'"$;()\\/-');

function mark(flag: number, characters: string): void {
  for (const character of characters) CLASSES[character.charCodeAt(0)]! |= flag;
}

export const isSpace = (unit: number): boolean => unit < 0x80 && (CLASSES[unit]! & SPACE) !== 0;

export const isIdentifierStart = (unit: number): boolean =>
  unit >= 0x80 || (CLASSES[unit]! & IDENTIFIER_START) !== 0;

export const isIdentifierPart = (unit: number): boolean =>
  unit >= 0x80 || (CLASSES[unit]! & IDENTIFIER_PART) !== 0;

/** The next character from `at` on that can begin or end something, or the length of the text. */
export function nextStop(text: string, at: number): number {
  const { length } = text;
  for (; at < length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80 && (CLASSES[unit]! & STOP) !== 0) return at;
  }
  return length;
}

/** As {@link nextStop}, but stops at words, too. */
export function nextStopOrWord(text: string, at: number): number {
  const { length } = text;
  for (; at < length; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 0x80 || (CLASSES[unit]! & (STOP | IDENTIFIER_START)) !== 0) return at;
  }
  return length;
}

/** Where the white space that begins at `at` ends. */
export function endOfSpace(text: string, at: number): number {
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** Where the run of identifier characters that begins at `at` ends. */
export function endOfWord(text: string, at: number): number {
  while (at < text.length && isIdentifierPart(text.charCodeAt(at))) at++;
  return at;
}

/** Where the run of identifier characters before `at` begins; not before `floor`. */
export function startOfWord(text: string, at: number, floor: number): number {
  while (at > floor && isIdentifierPart(text.charCodeAt(at - 1))) at--;
  return at;
}

/** Where the line that `at` is in ends: the index of its `\n` or `\r`, or -1. */
export function endOfLine(text: string, at: number): number {
  LINE_END.lastIndex = at;
  return LINE_END.test(text) ? LINE_END.lastIndex - 1 : -1;
}

const LINE_END = /[\n\r]/g;

/**
 * What a `$` in a statement is: `part` of the name or the parameter around it, the beginning of a quote with this
 * `tag`, or `unknown` until more of the script is seen.
 *
 * @param floor where the token before it ended: what is there is no name that goes on
 */
export function readDollar(
  text: string,
  at: number,
  { floor, ended }: { floor: number; ended: boolean },
): 'part' | 'unknown' | { readonly tag: string } {
  const word = text.slice(startOfWord(text, at, floor), at);
  if (!NUMBERS.test(word)) return 'part';
  DOLLAR_TAG.lastIndex = at;
  const match = DOLLAR_TAG.exec(text);
  if (match === null) return 'part';
  if (match[1] !== undefined) return { tag: match[0] };
  return !ended && DOLLAR_TAG.lastIndex === text.length ? 'unknown' : 'part';
}

/** What no name begins with: `1$$` and `$1$$` are a number or a parameter, and a quote. */
const NUMBERS = /^(?:\d[\d_]*(?:e\d+)?)?(?:\$\d*)*$/i;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?(\$)?/y;

/** Whether the quote at `at` is that of `E'…'`, in which backslashes escape. */
export function isEscapeQuote(text: string, at: number, floor: number): boolean {
  const letter = at - 1;
  if (letter < floor || (text.charCodeAt(letter) | 0x20) !== 0x65) return false;
  return letter === floor || !isIdentifierPart(text.charCodeAt(letter - 1));
}
