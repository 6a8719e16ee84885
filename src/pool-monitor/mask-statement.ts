import type { Dialect } from '../core/index.js';

const SHOWN = 300;
/** How much is looked at: a statement can be as long as memory. */
const LOOKED_AT = 20_000;

interface Tokens {
  /** What may hold values. A string without an end goes to the end: servers cut long statements. */
  readonly values: string;
  readonly comments: string;
  readonly names: string;
  readonly nestsComments: boolean;
}

const NUMBER = String.raw`0[xX][0-9a-fA-F_]+|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?`;
const WORD = String.raw`[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*`;
const ESCAPED = (quote: string): string =>
  String.raw`${quote}(?:[^${quote}\\]|\\[^]|${quote}${quote})*(?:${quote}|\\?$)`;
const PLAIN = (quote: string): string => String.raw`${quote}(?:[^${quote}]|${quote}${quote})*(?:${quote}|$)`;

const DIALECTS: Readonly<Record<Dialect['name'], Tokens>> = {
  postgres: {
    values: String.raw`[eE]${ESCAPED("'")}|(?:[bBxXnN]|[uU]&)?${PLAIN("'")}|\$(?<tag>(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?)\$[^]*?(?:\$\k<tag>\$|$)|${NUMBER}`,
    comments: String.raw`--[^\n]*`,
    names: String.raw`\$\d+|(?:[uU]&)?${PLAIN('"')}|${WORD}`,
    nestsComments: true,
  },
  mysql: {
    values: String.raw`(?:[bBxXnN])?${ESCAPED("'")}|${ESCAPED('"')}|${NUMBER}`,
    comments: String.raw`--(?=[\s]|$)[^\n]*|#[^\n]*`,
    names: String.raw`${PLAIN('`')}|@{1,2}[\w$.]+|${WORD}`,
    nestsComments: false,
  },
  sqlite: {
    values: String.raw`[xX]?${PLAIN("'")}|${NUMBER}`,
    comments: String.raw`--[^\n]*`,
    names: String.raw`${PLAIN('"')}|${PLAIN('`')}|\[[^\]]*(?:\]|$)|[?:@$]\w+|${WORD}`,
    nestsComments: false,
  },
};

const readers = new Map<Dialect['name'], RegExp>();

function readerOf(dialect: Dialect['name']): RegExp {
  let reader = readers.get(dialect);
  if (!reader) {
    const { values, comments, names } = DIALECTS[dialect];
    const kinds = [String.raw`(?<space>\s+|${comments})`, `(?<value>${values})`, `(?<name>${names})`];
    reader = new RegExp(`${kinds.join('|')}|(?<other>[^])`, 'y');
    readers.set(dialect, reader);
  }
  return reader;
}

/** The value of a setting needs no quotes: `SET app.user_id = 4711a`, `SET search_path TO tenant_7`. */
const SETTING = /^(?<name>SET\b[^=]*?(?:=|\bTO\b)\s*)[^?].*$/is;

/**
 * A statement as it may be shown: without its literals and comments, on one line, no more than 300 characters, with `…`
 * where it was cut. Placeholders stay.
 *
 * @example
 * ```ts
 * maskStatement("SELECT * FROM card -- all\n WHERE number = '4111' AND id IN (1, 2, 3)", postgresDialect);
 * // SELECT * FROM card WHERE number = ? AND id IN (?, ?, …)
 * ```
 */
export function maskStatement(text: string, { name: dialect }: Pick<Dialect, 'name'>): string {
  const looked = text.slice(0, LOOKED_AT);
  const reader = readerOf(dialect);
  let shown = '';
  let at = 0;
  while (at < looked.length && shown.length <= SHOWN) {
    if (looked.startsWith('/*', at)) {
      at = endOfComment(looked, at, DIALECTS[dialect]);
      shown = withSpace(shown);
      continue;
    }
    reader.lastIndex = at;
    const found = reader.exec(looked);
    if (!found) break;
    at = reader.lastIndex;
    const { space, value } = found.groups!;
    if (space !== undefined) shown = withSpace(shown);
    else shown = value === undefined ? shown + found[0].replaceAll(/\s+/g, ' ') : withValue(shown);
  }
  const line = shown
    .trim()
    .replace(/[\s;]+$/, '')
    .replace(SETTING, '$<name>?');
  const isWhole = at >= looked.length && text.length <= LOOKED_AT;
  if (isWhole && line.length <= SHOWN) return line;
  // No half of a surrogate pair is left.
  return `${line.slice(0, SHOWN - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

function withSpace(shown: string): string {
  return shown === '' || shown.endsWith(' ') ? shown : `${shown} `;
}

/** A long list of values says nothing after its first ones, and hides what comes behind it. */
function withValue(shown: string): string {
  const list = /\?, ?\?, ?(?:…, ?)?$/.exec(shown);
  return list ? `${shown.slice(0, list.index)}?, ?, …` : `${shown}?`;
}

function endOfComment(text: string, start: number, { nestsComments }: Tokens): number {
  let depth = 1;
  let at = start + 2;
  while (at < text.length && depth > 0) {
    if (text.startsWith('*/', at)) {
      depth--;
      at += 2;
    } else if (nestsComments && text.startsWith('/*', at)) {
      depth++;
      at += 2;
    } else at++;
  }
  return at;
}
