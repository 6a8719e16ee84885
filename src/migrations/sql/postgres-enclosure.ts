import { unfinished } from './postgres-script-errors.js';
import { endOfLine, isSpace } from './postgres-tokens.js';
import type { ScriptReader } from './script-reader.js';

const SINGLE_QUOTE = 0x27;
const DASH = 0x2d;

type Enclosure = 'string' | 'identifier' | 'escapes' | 'dollar' | 'comment' | 'line comment';

/** Skips what has an end of its own: quotes and comments, over as many pieces of the script as they take. */
export class PostgresEnclosure {
  readonly #reader: ScriptReader;
  #kind: Enclosure | 'after escapes' | undefined;
  /** How deep comments are nested. */
  #comments = 0;
  #tag = '';
  /** Whether there was a line end behind `E'…'`: then it can go on. */
  #newLine = false;

  constructor(reader: ScriptReader) {
    this.#reader = reader;
  }

  /** Skips what begins at `from` with `'`, `"`, `/*` or `--`. Returns as {@link skip} does. */
  enter(kind: Exclude<Enclosure, 'dollar'>, from: number): boolean {
    this.#kind = kind;
    this.#comments = 0;
    this.#reader.opens(from);
    this.#reader.at = kind === 'comment' ? from : from + 1;
    return this.skip();
  }

  /** Skips a text in dollar quotes that begins with `tag` at `from`. */
  enterDollar(tag: string, from: number): boolean {
    this.#kind = 'dollar';
    this.#tag = tag;
    this.#reader.opens(from);
    this.#reader.at = from + tag.length;
    return this.skip();
  }

  /** Moves the reader behind what was entered, if anything was. False where more of the script has to be seen. */
  skip(): boolean {
    switch (this.#kind) {
      case undefined:
        return true;
      case 'string':
        return this.#quotes("'");
      case 'identifier':
        return this.#quotes('"');
      case 'escapes':
        return this.#escapes();
      case 'after escapes':
        return this.#afterEscapes();
      case 'dollar':
        return this.#dollar();
      case 'comment':
        return this.#comment();
      case 'line comment':
        return this.#lineComment();
    }
  }

  /** Throws at the end of the script where something was not ended that has to be. */
  assertEnded(): void {
    const kind = this.#kind;
    if (kind === undefined || kind === 'after escapes' || kind === 'line comment') return;
    throw unfinished(kind === 'escapes' ? 'string' : kind, this.#reader.innermostOpen!);
  }

  #wait(at: number): false {
    this.#reader.at = at;
    return false;
  }

  #leave(at: number): true {
    this.#reader.closes();
    this.#reader.at = at;
    this.#kind = undefined;
    return true;
  }

  #quotes(quote: '"' | "'"): boolean {
    const { text, ended, at: from } = this.#reader;
    for (let at = from; ; at += 2) {
      at = text.indexOf(quote, at);
      if (at < 0) return this.#wait(text.length);
      // The one at the end may be the first of two, which are one quote inside.
      if (at + 1 === text.length && !ended) return this.#wait(at);
      if (text[at + 1] !== quote) return this.#leave(at + 1);
    }
  }

  #escapes(): boolean {
    const { text, ended, at } = this.#reader;
    for (ESCAPE_OR_QUOTE.lastIndex = at; ESCAPE_OR_QUOTE.test(text); ESCAPE_OR_QUOTE.lastIndex++) {
      const found = ESCAPE_OR_QUOTE.lastIndex - 1;
      if (found + 1 === text.length && !ended) return this.#wait(found);
      if (text.charCodeAt(found) === SINGLE_QUOTE && text.charCodeAt(found + 1) !== SINGLE_QUOTE) {
        this.#reader.at = found + 1;
        this.#kind = 'after escapes';
        this.#newLine = false;
        return this.#afterEscapes();
      }
    }
    return this.#wait(text.length);
  }

  /** `E'a'`, white space with a line end in it, and `'b'` are one literal: backslashes escape in both. */
  #afterEscapes(): boolean {
    const { text, ended, at: from } = this.#reader;
    for (let at = from; ;) {
      for (; at < text.length && isSpace(text.charCodeAt(at)); at++)
        this.#newLine ||= text[at] === '\n' || text[at] === '\r';
      if (!ended && at + 1 >= text.length && (at === text.length || text.charCodeAt(at) === DASH))
        return this.#wait(at);
      if (!text.startsWith('--', at)) {
        if (!this.#newLine || text.charCodeAt(at) !== SINGLE_QUOTE) return this.#leave(at);
        this.#kind = 'escapes';
        this.#reader.at = at + 1;
        return this.#escapes();
      }
      const end = endOfLine(text, at);
      if (end < 0 && !ended) return this.#wait(at);
      at = end < 0 ? text.length : end;
    }
  }

  #dollar(): boolean {
    const { text, at } = this.#reader;
    const end = text.indexOf(this.#tag, at);
    if (end >= 0) return this.#leave(end + this.#tag.length);
    return this.#wait(Math.max(at, text.length - this.#tag.length + 1));
  }

  #comment(): boolean {
    const { text, at } = this.#reader;
    let seen = at;
    COMMENT_EDGE.lastIndex = at;
    for (let edge = COMMENT_EDGE.exec(text); edge !== null; edge = COMMENT_EDGE.exec(text)) {
      seen = COMMENT_EDGE.lastIndex;
      this.#comments += edge[0] === '/*' ? 1 : -1;
      if (this.#comments === 0) return this.#leave(seen);
    }
    const last = text.length - 1;
    return this.#wait(last >= seen && /[*/]/.test(text[last]!) ? last : text.length);
  }

  #lineComment(): boolean {
    const { text, at } = this.#reader;
    const end = endOfLine(text, at);
    return end < 0 ? this.#wait(text.length) : this.#leave(end);
  }
}

const ESCAPE_OR_QUOTE = /['\\]/g;
const COMMENT_EDGE = /\/\*|\*\//g;
