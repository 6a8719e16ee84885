import type { ScriptPart } from './statement.js';

/**
 * A statement as the file has it, for people: with `${password}` where the text for the server holds the password.
 *
 * @example
 * ```ts
 * sourceText({ text: "SET x = 'secret'", replacements: [{ from: 9, to: 15, source: '${x}' }] }); // "SET x = '${x}'"
 * ```
 */
export function sourceText({ text, replacements }: Pick<ScriptPart, 'text' | 'replacements'>): string {
  if (replacements === undefined) return text;
  const pieces: string[] = [];
  let done = 0;
  for (const { from, to, source } of replacements) {
    pieces.push(text.slice(done, from), source);
    done = to;
  }
  return [...pieces, text.slice(done)].join('');
}
