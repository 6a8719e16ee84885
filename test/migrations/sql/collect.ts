import type { ScriptItem, ScriptText, SplitScript } from '../../../src/migrations/sql/statement.js';

/** An item, with the data of a COPY read. */
export type Collected = Exclude<ScriptItem, { kind: 'copy' }> | CollectedCopy;
export type CollectedCopy = Omit<Extract<ScriptItem, { kind: 'copy' }>, 'data'> & { readonly data: string };

/** Everything that a splitter finds. */
export async function collect(split: SplitScript, text: ScriptText): Promise<Collected[]> {
  const found: Collected[] = [];
  for await (const items of split(text)) {
    expect(items).not.toHaveLength(0);
    for (const item of items) {
      if (item.kind !== 'copy') {
        found.push(item);
        continue;
      }
      expect(item).toBe(items.at(-1));
      let data = '';
      for await (const chunk of item.data) data += chunk;
      found.push({ ...item, data });
    }
  }
  return found;
}

/** What {@link collect} finds, or the error that ended it. */
export async function outcomeOf(split: SplitScript, text: ScriptText): Promise<unknown> {
  try {
    return await collect(split, text);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { name: error.name, message: error.message, position: (error as { position?: unknown }).position };
  }
}

/** The text cut into pieces of the lengths that `next` gives, never inside a surrogate pair. */
export function cut(text: string, next: () => number): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length;) {
    let end = Math.min(text.length, at + next());
    if (/[\uD800-\uDBFF]/.test(text[end - 1] ?? '')) end++;
    pieces.push(text.slice(at, end));
    at = end;
  }
  return pieces;
}
