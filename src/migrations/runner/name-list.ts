const WORD = /[\p{L}\p{N}_$]+/gu;
const QUOTES = /[`"']/g;
/** What begins a comment that the server runs: the number goes on into the word behind it. */
const RUN_COMMENT = /\/\*M?!\d*/g;

/**
 * As names are compared: without case and accents, for the server knows some by other ones. In upper case, which is no
 * question of what stands beside a letter, as it is for a sigma in lower case.
 */
function folded(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toUpperCase();
}

/**
 * Names that are looked for in the text of statements, in whatever case: what a string or a comment holds is found, too, so
 * that none is missed.
 */
export class NameList {
  readonly #words: ReadonlySet<string>;
  /** Those that are no single word. */
  readonly #others: readonly string[];

  constructor(names: Iterable<string>) {
    const words: string[] = [];
    const others: string[] = [];
    for (const name of names) (name.replace(WORD, '') === '' ? words : others).push(NameList.keyOf(name));
    this.#words = new Set(words);
    this.#others = others;
  }

  /** What {@link foundIn} calls a name. Quotes are doubled where the name is written, and left out here. */
  static keyOf(name: string): string {
    return folded(name).replace(QUOTES, '');
  }

  get isEmpty(): boolean {
    return this.#words.size + this.#others.length === 0;
  }

  areIn(text: string): boolean {
    return this.#find(text).next().done !== true;
  }

  /** By their keys. */
  foundIn(text: string): Set<string> {
    return new Set(this.#find(text));
  }

  *#find(text: string): Generator<string, void> {
    if (this.isEmpty) return;
    const plain = folded(text).replace(RUN_COMMENT, ' ');
    for (const [word] of plain.matchAll(WORD)) if (this.#words.has(word)) yield word;
    if (this.#others.length === 0) return;
    const unquoted = plain.replace(QUOTES, '');
    for (const name of this.#others) if (unquoted.includes(name)) yield name;
  }
}
