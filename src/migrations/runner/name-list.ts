const WORD = /[\p{L}\p{N}_$]+/gu;

/**
 * Names that are looked for in the text of statements, in whatever case: what a string or a comment holds is found, too, so
 * that none is missed.
 */
export class NameList {
  readonly #words: ReadonlySet<string>;
  /** Those that are no single word. */
  readonly #others: readonly string[];

  constructor(names: readonly string[]) {
    const all = names.map((name) => name.toLowerCase());
    const isWord = (name: string): boolean => name.replace(WORD, '') === '';
    this.#words = new Set(all.filter(isWord));
    this.#others = all.filter((name) => !isWord(name));
  }

  get isEmpty(): boolean {
    return this.#words.size + this.#others.length === 0;
  }

  areIn(text: string): boolean {
    return this.#find(text).next().done !== true;
  }

  /** In lower case. */
  foundIn(text: string): Set<string> {
    return new Set(this.#find(text));
  }

  *#find(text: string): Generator<string, void> {
    if (this.isEmpty) return;
    const lower = text.toLowerCase();
    for (const [word] of lower.matchAll(WORD)) if (this.#words.has(word)) yield word;
    for (const name of this.#others) if (lower.includes(name)) yield name;
  }
}
