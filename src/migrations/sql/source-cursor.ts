import type { ScriptPart, SourcePosition } from './statement.js';

const NONE = Number.POSITIVE_INFINITY;

/** Counts lines and columns while it moves over a text, which may come in pieces, from its beginning on. */
export class SourceCursor {
  #line: number;
  #column: number;
  #offset: number;
  #afterCarriageReturn = false;

  #text = '';
  #index = 0;
  /** The next one of each in the text from `#index` on. Found once each: a line may be longer than what is moved at a time. */
  #lineFeed = NONE;
  #carriageReturn = NONE;

  constructor(start: SourcePosition = { line: 1, column: 1, offset: 0 }) {
    this.#line = start.line;
    this.#column = start.column;
    this.#offset = start.offset;
  }

  get position(): SourcePosition {
    return { line: this.#line, column: this.#column, offset: this.#offset };
  }

  /** Says that the text goes on with `text` from `index` on. */
  enter(text: string, index = 0): this {
    this.#text = text;
    this.#index = index;
    this.#lineFeed = indexOf(text, '\n', index);
    this.#carriageReturn = indexOf(text, '\r', index);
    return this;
  }

  /** Moves over all of `text`, which comes next. */
  move(text: string): void {
    this.enter(text).moveTo(text.length);
  }

  /** Moves to before `index` of what was entered last. */
  moveTo(index: number): void {
    const text = this.#text;
    let from = this.#index;
    this.#offset += index - from;
    for (;;) {
      const lineEnd = Math.min(this.#lineFeed, this.#carriageReturn);
      if (lineEnd >= index) break;
      if (lineEnd === this.#lineFeed) {
        if (!this.#afterCarriageReturn || lineEnd > from) this.#line++;
        this.#afterCarriageReturn = false;
        this.#lineFeed = indexOf(text, '\n', lineEnd + 1);
      } else {
        this.#line++;
        this.#afterCarriageReturn = true;
        this.#carriageReturn = indexOf(text, '\r', lineEnd + 1);
      }
      this.#column = 1;
      from = lineEnd + 1;
    }
    this.#index = index;
    if (from === index) return;
    this.#afterCarriageReturn = false;
    let column = this.#column + index - from;
    // The second half of a surrogate pair belongs to the code point that the first half counted.
    for (; from < index; from++) if ((text.charCodeAt(from) & 0xfc00) === 0xdc00) column--;
    this.#column = column;
  }
}

function indexOf(text: string, character: string, from: number): number {
  const index = text.indexOf(character, from);
  return index < 0 ? NONE : index;
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
  cursor.enter(text);
  for (const { from, to, source } of replacements) {
    if (offset < from) break;
    cursor.moveTo(from);
    if (offset < to) return cursor.position;
    cursor.move(source);
    cursor.enter(text, to);
  }
  cursor.moveTo(Math.min(offset, text.length));
  return cursor.position;
}

/** A place as messages name it. */
export function placeOf({ line, column }: SourcePosition): string {
  return `line ${line}, column ${column}`;
}
