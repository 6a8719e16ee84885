import type { ScriptPart, SourcePosition } from './statement.js';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Counts lines and columns while it moves over a text from its beginning on. */
export class SourceCursor {
  #line: number;
  #column: number;
  #offset: number;
  #afterCarriageReturn = false;

  constructor(start: SourcePosition = { line: 1, column: 1, offset: 0 }) {
    this.#line = start.line;
    this.#column = start.column;
    this.#offset = start.offset;
  }

  get position(): SourcePosition {
    return { line: this.#line, column: this.#column, offset: this.#offset };
  }

  /** Moves over `text` from index `from` to before index `to`. */
  move(text: string, from = 0, to = text.length): void {
    let line = this.#line;
    let column = this.#column;
    let afterCarriageReturn = this.#afterCarriageReturn;
    for (let index = from; index < to; index++) {
      const unit = text.charCodeAt(index);
      if (unit > CARRIAGE_RETURN) {
        // The second half of a surrogate pair belongs to the code point that the first half counted.
        if ((unit & 0xfc00) !== 0xdc00) column++;
        afterCarriageReturn = false;
      } else if (unit === LINE_FEED) {
        if (!afterCarriageReturn) line++;
        column = 1;
        afterCarriageReturn = false;
      } else if (unit === CARRIAGE_RETURN) {
        line++;
        column = 1;
        afterCarriageReturn = true;
      } else {
        column++;
        afterCarriageReturn = false;
      }
    }
    this.#line = line;
    this.#column = column;
    this.#afterCarriageReturn = afterCarriageReturn;
    this.#offset += to - from;
  }
}

/**
 * Where in the file a place inside a statement is: `offset` is a UTF-16 offset in its text, as
 * `StatementFailedError.offset` is. A place inside the value of a placeholder is where the placeholder begins.
 *
 * @example
 * ```ts
 * const { line, column } = locate(statement, error.offset ?? 0);
 * ```
 */
export function locate({ text, start, replacements = [] }: ScriptPart, offset: number): SourcePosition {
  const cursor = new SourceCursor(start);
  let at = 0;
  for (const { from, to, source } of replacements) {
    if (offset < from) break;
    cursor.move(text, at, from);
    if (offset < to) return cursor.position;
    cursor.move(source);
    at = to;
  }
  cursor.move(text, at, Math.min(offset, text.length));
  return cursor.position;
}
