import type { Dialect } from '../core/index.js';

/** Longer statements are cut: an alert has room for the part that tells which one it is. */
const MOST_CHARACTERS = 300;
/** A text is read no further than this: a bulk INSERT has megabytes, and its first lines say all. */
const MOST_READ = 4000;

const COMMENT = String.raw`--[^\n]*|/\*[^]*?(?:\*/|$)`;
const NUMBER = String.raw`(?<![\w$.])(?:0x[0-9a-f]+|\d[\d_]*(?:\.\d*)?(?:e[+-]?\d+)?)(?![\w$])`;
/** What is not closed is masked to the end: it was cut, or it is not what it seems. */
const closed = (quote: string): string => `${quote}(?:[^${quote}]|${quote}${quote})*(?:${quote}|$)`;
const escaped = (quote: string): string =>
  String.raw`${quote}(?:[^\\${quote}]|\\[^]|${quote}${quote})*(?:${quote}|$)`;

const POSTGRES = new RegExp(
  [
    COMMENT,
    String.raw`\be${escaped("'")}`,
    String.raw`(?:\b[bxn]|\bu&)?${closed("'")}`,
    String.raw`\$(?<tag>[a-z_]\w*)?\$[^]*?(?:\$\k<tag>\$|$)`,
    `(?<kept>${closed('"')})`,
    NUMBER,
  ].join('|'),
  'gi',
);
const MYSQL = new RegExp(
  [
    COMMENT,
    String.raw`#[^\n]*`,
    String.raw`(?:\b[bxn]|\b_[a-z0-9]+\s*)?${escaped("'")}`,
    escaped('"'),
    `(?<kept>${closed('`')})`,
    NUMBER,
  ].join('|'),
  'gi',
);

/**
 * A statement as it may be shown: on one line, without comments, each literal a `?`, shortened to 300 characters.
 * Placeholders and the names of tables and columns stay.
 */
export function maskStatement(text: string, dialect: Pick<Dialect, 'name'>): string {
  const literals = dialect.name === 'mysql' ? MYSQL : POSTGRES;
  const masked = text
    .slice(0, MOST_READ)
    .replace(literals, (found: string, ...rest: unknown[]) => {
      const { kept } = rest.at(-1) as { kept?: string };
      if (kept !== undefined) return kept;
      return /^(?:--|\/\*|#)/.test(found) ? ' ' : '?';
    })
    .replace(/\s+/g, ' ')
    .trim();
  return masked.length > MOST_CHARACTERS ? `${masked.slice(0, MOST_CHARACTERS - 1)}…` : masked;
}
