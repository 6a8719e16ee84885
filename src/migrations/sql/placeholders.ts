import { SourceCursor } from './source-cursor.js';
import type { ReplacedText, SourcePosition, TextStream } from './statement.js';

export interface PlaceholderOptions {
  /** Name -> value. As in Flyway the case does not matter, unless two names differ in nothing else. */
  readonly placeholders: Readonly<Record<string, string>>;
  /** Told once of each name that the text has as `${name}` and nobody declared; of the first 100 at most. */
  readonly onUndeclared?: ((name: string, position: SourcePosition) => void) | undefined;
}

const PLACEHOLDER = /\$\{([^{}\n\r]{1,100})\}/y;
/** What may become a placeholder when the text goes on. */
const BEGINNING = /\$(?:\{[^{}\n\r]{0,100})?$/;
const LONGEST = 103;
/** What is no name, `${a + b}`, is data beyond doubt. */
const NAME = /^[A-Za-z_][\w.:-]*$/;
const MAX_REPORTED = 100;

/**
 * Puts the values of declared placeholders in a script, before it is split, as Flyway does: a value may hold quotes,
 * semicolons, several statements. What is not declared stays as it is, for it may be data. A value is not searched
 * again. Positions stay those of the file: see {@link ReplacedText}.
 *
 * @example
 * ```ts
 * splitPostgres(replacePlaceholders(['CREATE SCHEMA ${schema};'], { placeholders: { schema: 'shop' } }));
 * ```
 */
export async function* replacePlaceholders(
  text: TextStream,
  { placeholders, onUndeclared }: PlaceholderOptions,
): AsyncGenerator<string | ReplacedText, void, undefined> {
  let valueOf: ReturnType<typeof lookup> | undefined;
  const cursor = new SourceCursor();
  const reported = new Set<string>();
  let rest = '';
  for await (const piece of text) {
    const window = rest + piece;
    cursor.enter(window);
    let done = 0;
    for (let at = window.indexOf('${'); at >= 0; at = window.indexOf('${', at)) {
      PLACEHOLDER.lastIndex = at;
      const [source, name] = PLACEHOLDER.exec(window) ?? [];
      const value = name === undefined ? undefined : (valueOf ??= lookup(placeholders))(name);
      if (source !== undefined && value !== undefined) {
        if (at > done) yield window.slice(done, at);
        yield { value, source };
        done = at += source.length;
        continue;
      }
      if (name !== undefined && NAME.test(name) && !reported.has(name) && reported.size < MAX_REPORTED) {
        reported.add(name);
        cursor.moveTo(at);
        onUndeclared?.(name, cursor.position);
      }
      at += 2;
    }
    const tail = window.slice(Math.max(done, window.length - LONGEST));
    const kept = BEGINNING.exec(tail)?.[0].length ?? 0;
    const end = window.length - kept;
    if (end > done) yield window.slice(done, end);
    cursor.moveTo(end);
    rest = window.slice(end);
  }
  if (rest !== '') yield rest;
}

function lookup(placeholders: Readonly<Record<string, string>>): (name: string) => string | undefined {
  const exact = new Map(Object.entries(placeholders));
  const folded = new Map<string, string | undefined>();
  for (const [name, value] of exact) {
    const key = name.toLowerCase();
    folded.set(key, folded.has(key) ? undefined : value);
  }
  return (name) => exact.get(name) ?? folded.get(name.toLowerCase());
}
