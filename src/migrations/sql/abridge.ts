const SHOWN = 120;
/** How much is looked at: a statement can be as long as memory. */
const LOOKED_AT = 4 * SHOWN;

/**
 * The beginning of a statement on one line, for messages: no more than 120 characters, with `…` where it was cut.
 *
 * @example
 * ```ts
 * abridge('SELECT a,\n       b\n  FROM t'); // 'SELECT a, b FROM t'
 * ```
 */
export function abridge(text: string): string {
  const start = text.search(/\S/);
  if (start < 0) return '';
  const line = text
    .slice(start, start + LOOKED_AT)
    .replaceAll(/\s+/g, ' ')
    .trimEnd();
  const isWhole = line.length <= SHOWN && !/\S/.test(text.slice(start + LOOKED_AT));
  if (isWhole) return line;
  // No half of a surrogate pair is left.
  return `${line.slice(0, SHOWN - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
