/**
 * What the beginning of a statement is made of. White space and comments are left out, and so are the marks of
 * executable comments: what stands in them counts.
 */
export interface MysqlToken {
  readonly kind: 'word' | 'name' | 'text' | 'symbol' | 'end';
  /** A word in upper case, a name without its backticks, a text with its quotes, or a single character. */
  readonly value: string;
  /** Where it begins in the statement. */
  readonly at: number;
  /** As it is written. */
  readonly source: string;
}

const SKIPPED = /(?:\s|--(?=\s|\p{Cc}|$)[^\n]*|#[^\n]*|\/\*M?!\d*|\/\*[^*]*(?:\*(?!\/)[^*]*)*\*\/|\*\/)+/uy;
const TOKEN = /(`(?:[^`]|``)*`)|('(?:[^'\\]|\\[^]|'')*'|"(?:[^"\\]|\\[^]|"")*")|([\w$\u0080-\uFFFF]+)|([^])/y;

/** Reads a statement token by token, as far as it is asked to. */
export class MysqlWords {
  readonly #text: string;
  #at = 0;
  #next: MysqlToken | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** What {@link take} would give. */
  get next(): MysqlToken {
    return (this.#next ??= this.#read());
  }

  take(): MysqlToken {
    const token = this.next;
    this.#next = undefined;
    return token;
  }

  /** Whether these words follow, in upper case; none is taken. */
  follows(word: string): boolean {
    return this.next.kind === 'word' && this.next.value === word;
  }

  /** Takes the word, where it follows. */
  accept(...words: readonly string[]): boolean {
    const found = this.next.kind === 'word' && words.includes(this.next.value);
    if (found) this.take();
    return found;
  }

  acceptSymbol(symbol: string): boolean {
    const found = this.next.kind === 'symbol' && this.next.value === symbol;
    if (found) this.take();
    return found;
  }

  /** Skips to behind one of these words outside of parentheses. Returns whether there was one. */
  skipTo(...words: readonly string[]): boolean {
    for (let depth = 0; this.next.kind !== 'end';) {
      const { kind, value } = this.take();
      if (kind === 'symbol') depth += value === '(' ? 1 : value === ')' ? -1 : 0;
      else if (kind === 'word' && depth === 0 && words.includes(value)) return true;
    }
    return false;
  }

  /** A name, with its schema where it has one. */
  qualifiedName(): { schema?: string; name: string } | undefined {
    const first = this.#identifier();
    if (first === undefined) return undefined;
    if (!this.acceptSymbol('.')) return { name: first };
    const second = this.#identifier();
    return second === undefined ? { name: first } : { schema: first, name: second };
  }

  #identifier(): string | undefined {
    const { kind, value, source } = this.next;
    if (kind === 'word' || kind === 'name') {
      this.take();
      return kind === 'word' ? source : value;
    }
    // With ANSI_QUOTES.
    if (kind === 'text' && source.startsWith('"')) {
      this.take();
      return source.slice(1, -1).replaceAll('""', '"');
    }
    return undefined;
  }

  #read(): MysqlToken {
    const text = this.#text;
    SKIPPED.lastIndex = this.#at;
    const at = SKIPPED.test(text) ? SKIPPED.lastIndex : this.#at;
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    if (!found) return { kind: 'end', value: '', at, source: '' };
    const [source, name, quoted, word] = found;
    this.#at = at + source.length;
    if (name !== undefined)
      return { kind: 'name', value: name.slice(1, -1).replaceAll('``', '`'), at, source };
    if (quoted !== undefined) return { kind: 'text', value: quoted, at, source };
    return word === undefined
      ? { kind: 'symbol', value: source, at, source }
      : { kind: 'word', value: word.toUpperCase(), at, source };
  }
}
