/** What stands between two words and says nothing: white space, comments, the marks of a comment that is executed. */
const GAP = /(?:\s+|\/\*M?!\d*|\*\/|\/\*[^]*?\*\/|#.*|--(?=\s|$).*)*/y;
/** A string, a quoted name, a word, a symbol. */
const PIECE = /('(?:[^'\\]|\\[^]|'')*'|"(?:[^"\\]|\\[^]|"")*")|(`(?:[^`]|``)*`)|([\w$\u0080-\uffff]+)|([^])/y;
/** How many words and symbols say what a statement is, behind `OR REPLACE DEFINER = user@host`. */
const HEAD = 16;

interface Piece {
  readonly kind: 'string' | 'name' | 'word' | 'symbol';
  /** A word in capital letters. */
  readonly value: string;
}

/** Reads a statement word by word, as the server does. */
class StatementWords {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get rest(): string {
    return this.#text.slice(this.#offset);
  }

  take(): Piece | undefined {
    GAP.lastIndex = this.#offset;
    GAP.exec(this.#text);
    PIECE.lastIndex = GAP.lastIndex;
    const found = PIECE.exec(this.#text);
    if (!found) return undefined;
    this.#offset = PIECE.lastIndex;
    const [, string, name, word, symbol] = found;
    if (string !== undefined) return { kind: 'string', value: string };
    if (name !== undefined) return { kind: 'name', value: name };
    if (word !== undefined) return { kind: 'word', value: word.toUpperCase() };
    return { kind: 'symbol', value: symbol! };
  }
}

/**
 * The words that a statement begins with, in capital letters and with one space between them; a question mark stands for
 * what is quoted. Of a FLUSH all: its end says what it does.
 */
export function headOf(statement: string): string {
  const words = new StatementWords(statement);
  const head: string[] = [];
  for (let piece = words.take(); piece; piece = words.take()) {
    head.push(piece.kind === 'word' || piece.kind === 'symbol' ? piece.value : '?');
    if (head.length >= HEAD && head[0] !== 'FLUSH') break;
  }
  return head.join(' ');
}

/** What `SET STATEMENT … FOR` and `EXECUTE IMMEDIATE '…'` execute, where their text says so. */
export function executedBy(statement: string): string | undefined {
  const words = new StatementWords(statement);
  const verb = `${words.take()?.value} ${words.take()?.value}`;
  if (verb === 'SET STATEMENT') return behindFor(words);
  return verb === 'EXECUTE IMMEDIATE' ? literal(words) : undefined;
}

function behindFor(words: StatementWords): string | undefined {
  let depth = 0;
  for (let piece = words.take(); piece; piece = words.take()) {
    if (piece.kind === 'symbol' && piece.value === '(') depth++;
    if (piece.kind === 'symbol' && piece.value === ')') depth--;
    if (depth === 0 && piece.kind === 'word' && piece.value === 'FOR') return words.rest;
  }
  return undefined;
}

/** Strings that stand beside each other are one to the server. */
function literal(words: StatementWords): string | undefined {
  let found: string | undefined;
  for (let piece = words.take(); piece?.kind === 'string'; piece = words.take()) {
    found = (found ?? '') + unquote(piece.value);
  }
  return found;
}

function unquote(string: string): string {
  const quote = string[0]!;
  const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
  return string
    .slice(1, -1)
    .replaceAll(quote + quote, quote)
    .replace(/\\([^])/g, (_, escaped: string) => escapes[escaped] ?? escaped);
}
