import {
  endOfLine,
  endOfSpace,
  endOfWord,
  isEscapeQuote,
  isIdentifierStart,
  readDollar,
} from './postgres-tokens.js';

/** A token of a complete statement. */
export interface PostgresToken {
  /** `word`: a keyword or a bare name; `name`: a quoted one; `string`: text in quotes of any kind; `symbol`: one other character. */
  readonly kind: 'word' | 'name' | 'string' | 'symbol';
  /** A word in upper case, a symbol as it is; of a name and a string what is inside the quotes. */
  readonly value: string;
  /** A word or name as the server folds it. */
  readonly folded: string;
  /** In how many parentheses it stands; those themselves count as outside. */
  readonly depth: number;
}

/** The tokens of a statement that was split off, without white space and comments. */
export function* tokensOf(text: string): Generator<PostgresToken, void, undefined> {
  let depth = 0;
  for (let at = skipSpace(text, 0); at < text.length; at = skipSpace(text, at)) {
    const character = text[at]!;
    const end = endOfToken(text, at);
    const raw = text.slice(at, end);
    at = end;
    if (isIdentifierStart(raw.charCodeAt(0))) {
      if (/^[a-z]&?['"]/i.test(raw)) {
        const isName = raw.endsWith('"');
        const value = raw.slice(raw.indexOf(isName ? '"' : "'") + 1, -1);
        yield { kind: isName ? 'name' : 'string', value, folded: value, depth };
      } else yield { kind: 'word', value: raw.toUpperCase(), folded: foldCase(raw), depth };
    } else if (character === '"') {
      const value = raw.slice(1, -1).replaceAll('""', '"');
      yield { kind: 'name', value, folded: value, depth };
    } else if (character === "'") {
      const value = raw.slice(1, -1).replaceAll("''", "'");
      yield { kind: 'string', value, folded: value, depth };
    } else if (character === '$' && raw.length > 1) {
      const tag = raw.slice(0, raw.indexOf('$', 1) + 1);
      const value = raw.slice(tag.length, -tag.length);
      yield { kind: 'string', value, folded: value, depth };
    } else {
      if (character === ')' && depth > 0) depth--;
      yield { kind: 'symbol', value: raw, folded: raw, depth };
      if (character === '(') depth++;
    }
  }
}

/** Reads a statement token by token, as far as it is asked to. */
export class PostgresWords {
  readonly #tokens: Generator<PostgresToken, void, undefined>;
  #next: PostgresToken | undefined;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
    this.take();
  }

  /** What {@link take} would give; undefined at the end. */
  get next(): PostgresToken | undefined {
    return this.#next;
  }

  take(): PostgresToken | undefined {
    const token = this.#next;
    this.#next = this.#tokens.next().value ?? undefined;
    return token;
  }

  follows(...words: readonly string[]): boolean {
    return this.#next?.kind === 'word' && words.includes(this.#next.value);
  }

  /** Takes one of these words, where it follows. */
  accept(...words: readonly string[]): boolean {
    const found = this.follows(...words);
    if (found) this.take();
    return found;
  }

  acceptSymbol(symbol: string): boolean {
    const found = this.#next?.kind === 'symbol' && this.#next.value === symbol;
    if (found) this.take();
    return found;
  }

  /** Skips to behind the first of these words outside of parentheses, and returns it. */
  skipTo(...words: readonly string[]): string | undefined {
    for (let token = this.take(); token !== undefined; token = this.take())
      if (token.kind === 'word' && token.depth === 0 && words.includes(token.value)) return token.value;
    return undefined;
  }

  /** Takes what stands in parentheses, where they follow: its words. */
  parenthesised(): readonly string[] {
    const words: string[] = [];
    if (!this.acceptSymbol('(')) return words;
    for (let token = this.take(); token !== undefined; token = this.take()) {
      if (token.value === ')' && token.kind === 'symbol' && token.depth === 0) break;
      words.push(token.value);
    }
    return words;
  }

  /** Takes a name, with its schema where it has one; of one with a database in front as well the last two. */
  name(): { readonly schema?: string; readonly name: string } | undefined {
    const parts: string[] = [];
    do {
      if (this.#next?.kind !== 'word' && this.#next?.kind !== 'name') break;
      parts.push(this.take()!.folded);
    } while (this.acceptSymbol('.'));
    const [name, schema] = parts.toReversed();
    if (name === undefined) return undefined;
    return schema === undefined ? { name } : { schema, name };
  }
}

/** Whether the statement is `COPY … FROM stdin`, whose data follows it. `FROM stdout` is the same to the server. */
export function copiesFromScript(text: string): boolean {
  let follows = false;
  for (const { kind, value, depth } of tokensOf(text)) {
    if (follows && kind === 'word' && (value === 'STDIN' || value === 'STDOUT')) return true;
    follows = kind === 'word' && depth === 0 && value === 'FROM';
  }
  return false;
}

/** The server folds ASCII alone in a UTF-8 database. */
function foldCase(name: string): string {
  return name.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function skipSpace(text: string, from: number): number {
  for (let at = from; ;) {
    at = endOfSpace(text, at);
    if (text.startsWith('--', at)) {
      const end = endOfLine(text, at);
      at = end < 0 ? text.length : end;
    } else if (text.startsWith('/*', at)) at = endOfComment(text, at);
    else return at;
  }
}

function endOfComment(text: string, from: number): number {
  const edge = /\/\*|\*\//g;
  edge.lastIndex = from;
  for (let depth = 0; ;) {
    const match = edge.exec(text);
    if (match === null) return text.length;
    depth += match[0] === '/*' ? 1 : -1;
    if (depth === 0) return edge.lastIndex;
  }
}

function endOfToken(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  const character = text[at]!;
  if (isIdentifierStart(unit)) {
    const end = endOfWord(text, at);
    if (end - at === 1) {
      if (text[end] === "'" && isEscapeQuote(text, end, at)) return endOfEscapes(text, end + 1);
      if (text[end] === "'" && /[bxn]/i.test(character)) return endOfQuotes(text, end + 1, "'");
      if (/^&['"]$/.test(text.slice(end, end + 2)) && /u/i.test(character))
        return endOfQuotes(text, end + 2, text[end + 1]!);
    }
    return end;
  }
  if (character === "'" || character === '"') return endOfQuotes(text, at + 1, character);
  if (character === '$') {
    const dollar = readDollar(text, at, { floor: at, ended: true });
    if (typeof dollar === 'string') return at + 1;
    const end = text.indexOf(dollar.tag, at + dollar.tag.length);
    return end < 0 ? text.length : end + dollar.tag.length;
  }
  return at + 1;
}

/** Doubled quotes belong to what is quoted. */
function endOfQuotes(text: string, from: number, quote: string): number {
  for (let at = from; ;) {
    const end = text.indexOf(quote, at);
    if (end < 0) return text.length;
    if (text[end + 1] !== quote) return end + 1;
    at = end + 2;
  }
}

function endOfEscapes(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === "'") {
      if (text[at + 1] !== "'") return at + 1;
      at++;
    }
  }
  return text.length;
}
