import { errorChain, memberOf } from '../../core/index.js';

/** One of fewer characters would hide words, and is no secret. */
const SHORTEST = 4;
/** Where drivers keep what the server said, or what they sent. */
const TEXTS = ['message', 'stack', 'sqlMessage', 'sql', 'text', 'detail', 'hint', 'where', 'internalQuery'];

/** Puts `${name}` in the place of each value of a placeholder, which may be a secret, in what a server says. */
export class HiddenValues {
  readonly #sources: readonly (readonly [value: string, source: string])[];

  constructor(placeholders: Readonly<Record<string, string>>) {
    this.#sources = Object.entries(placeholders)
      .filter(([, value]) => value.length >= SHORTEST)
      .sort(([, a], [, b]) => b.length - a.length)
      .map(([name, value]) => [value, `\${${name}}`]);
  }

  in(text: string): string {
    return this.#sources.reduce((left, [value, source]) => left.replaceAll(value, () => source), text);
  }

  /** In an error and what led to it, as they are: the caller's log may write out all of the chain. */
  inError(error: unknown): void {
    if (this.#sources.length === 0) return;
    for (const link of errorChain(error))
      for (const key of TEXTS) {
        const text = memberOf(link, key);
        if (typeof text === 'string') Reflect.set(link, key, this.in(text));
      }
  }
}
