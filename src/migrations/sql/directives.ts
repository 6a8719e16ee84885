import { nearest } from '../../core/index.js';
import { SqlSyntaxError } from '../errors.js';
import { locate } from './source-cursor.js';
import type { CommentLine, SourcePosition } from './statement.js';

/** A query that must return no rows. */
export interface VerifyClause {
  readonly query: string;
  /** Where the directive stands. */
  readonly position: SourcePosition;
}

/** What the comments of a script ask for. */
export interface Directives {
  /** `-- no-transaction`: its statements run one by one, outside of a transaction. */
  readonly noTransaction: boolean;
  /** `-- lock-timeout: 5s`, in milliseconds; 0: no limit. */
  readonly lockTimeoutMs: number | undefined;
  /** `-- statement-timeout: 10min`, in milliseconds; 0: no limit. */
  readonly statementTimeoutMs: number | undefined;
  /** Checked before the first statement runs. */
  readonly verifyBefore: readonly VerifyClause[];
  /** Checked after the last statement. */
  readonly verifyAfter: readonly VerifyClause[];
}

const PREFIX = 'holdfast';
const FLAG = 'no-transaction';
const TIMEOUTS = ['lock-timeout', 'statement-timeout'] as const;
const VERIFY = ['verify', 'verify before', 'verify after'] as const;
const NAMES: readonly string[] = [FLAG, ...TIMEOUTS, ...VERIFY];
/** Names of the future: an older holdfast must not run such a file as if nothing was asked. */
const RESERVED = 'requires-backfill';
const NEIGHBOURS = [...NAMES, RESERVED, PREFIX];

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 };
/** The longest that both databases take: 2^31 - 1 ms. */
const MAX_MS = 2_147_483_647;

/** A comment line that asks for something. */
interface Directive {
  readonly name: string;
  /** What follows the colon; undefined where there is none. */
  readonly value: string | undefined;
  readonly position: SourcePosition;
}

interface OpenClause {
  readonly directive: Directive;
  readonly after: boolean;
  readonly lines: string[];
  line: number;
}

/**
 * Reads the directives of a script from its comments, as the splitter finds them between statements:
 *
 * ```sql
 * -- no-transaction
 * -- lock-timeout: 5s
 * -- statement-timeout: 10min
 * -- verify: SELECT id FROM orders WHERE total IS NULL
 * -- verify after:
 * --   SELECT id FROM orders
 * --   WHERE total_cents IS NULL;
 * ```
 *
 * The first three stand before the first statement. `verify` above it is checked before anything runs, below it after
 * the last statement, unless it says `before` or `after`; its query goes on in comment lines that are indented by two
 * spaces or more, up to a `;` or the end of the comment. Units are `ms`, `s`, `min` and `h`; `0` is no limit. Each can
 * be written with `holdfast:` in front.
 *
 * What is almost a directive is an error, since it would be missed: `-- lock_timeout: 5s`, `-- no-transacton`. A
 * comment that only talks of one is a comment: `-- verify that it works`, `-- Author: Bob`.
 *
 * @example
 * ```ts
 * const reader = new DirectiveReader();
 * let statements = 0;
 * for await (const items of splitPostgres(text))
 *   for (const item of items)
 *     if (item.kind === 'comment') reader.add(item, statements);
 *     else statements++;
 * const { noTransaction, verifyAfter } = reader.finish();
 * ```
 */
export class DirectiveReader {
  #noTransaction = false;
  readonly #timeouts = new Map<string, number>();
  readonly #before: VerifyClause[] = [];
  readonly #after: VerifyClause[] = [];
  #open: OpenClause | undefined;

  /** Whether `-- no-transaction` was given by now. */
  get noTransaction(): boolean {
    return this.#noTransaction;
  }

  /**
   * Takes the next comment of the script; `statements` is how many statements came before it. Throws `SqlSyntaxError`
   * for a directive that is unknown, out of place, given twice or without a value that can be read.
   */
  add(comment: CommentLine, statements: number): void {
    if (this.#continues(comment)) return;
    this.#close();
    const directive = readDirective(comment);
    if (directive === undefined) return;
    const { name } = directive;
    if (name === 'verify' || name === 'verify before' || name === 'verify after') {
      const after = name === 'verify' ? statements > 0 : name === 'verify after';
      this.#open = { directive, after, lines: [directive.value ?? ''], line: comment.start.line };
      return;
    }
    if (statements > 0)
      throw wrong(directive, 'must stand before the first statement, for it holds for the whole file.');
    if (name === FLAG) this.#flag(directive);
    else this.#timeout(directive);
  }

  /** What was asked for. To be called after the last comment; throws as {@link add} does. */
  finish(): Directives {
    this.#close();
    return {
      noTransaction: this.#noTransaction,
      lockTimeoutMs: this.#timeouts.get('lock-timeout'),
      statementTimeoutMs: this.#timeouts.get('statement-timeout'),
      verifyBefore: this.#before,
      verifyAfter: this.#after,
    };
  }

  #flag(directive: Directive): void {
    if (directive.value !== undefined)
      throw wrong(directive, 'takes nothing behind it. Say why in a comment of its own.');
    this.#noTransaction = true;
  }

  #timeout(directive: Directive): void {
    const { name, value } = directive;
    if (this.#timeouts.has(name)) throw wrong(directive, 'is given a second time. Leave one of the two.');
    const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*(ms|s|min|h)$/.exec(value ?? '') ?? [];
    const ms = value === '0' ? 0 : Math.round(Number(amount) * UNITS[unit ?? '']!);
    if (!(ms <= MAX_MS))
      throw wrong(directive, `needs a time with its unit, ms, s, min or h, at most 24 days: ${name}: 5s`);
    this.#timeouts.set(name, ms);
  }

  #continues({ text, start }: CommentLine): boolean {
    const open = this.#open;
    if (open === undefined || open.lines.at(-1)!.endsWith(';') || start.line !== open.line + 1) return false;
    if (!/^(?: {2}|\t)/.test(text)) return false;
    open.lines.push(text.trim());
    open.line = start.line;
    return true;
  }

  #close(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    const { directive } = open;
    const query = open.lines.join('\n').trim().replace(/;$/, '').trimEnd();
    if (!/^(?:select|with|values|table)\b|^\(/i.test(query))
      throw wrong(
        directive,
        'needs a query that returns no rows when all is well, behind it or in the next lines as a comment indented by two ' +
          'spaces: verify: SELECT id FROM orders WHERE total IS NULL. If it is meant as a plain comment, leave the colon out.',
      );
    (open.after ? this.#after : this.#before).push({ query, position: directive.position });
  }
}

/** The directive in a comment, or undefined for a plain comment. Throws for what is almost one. */
function readDirective(comment: CommentLine): Directive | undefined {
  const { text } = comment;
  const from = /^[-\s]*/.exec(text)![0].length;
  const line = text.slice(from).trimEnd();
  const directive = parse(line, locate(comment, from));
  if (directive.name === PREFIX && directive.value !== undefined) {
    const explicit = parse(directive.value, directive.position);
    if (NAMES.includes(explicit.name)) return explicit;
    throw unknown(explicit, nearestOf(explicit.name, [...NAMES, RESERVED]));
  }
  const { name, value } = directive;
  // A heading. With a colon it announces a query.
  if (value === undefined && VERIFY.some((known) => known === name)) return undefined;
  if (NAMES.includes(name)) return directive;
  // What needs a value needs a colon: `-- Lock timeout` alone is a heading.
  const near = nearestOf(name, value === undefined ? [FLAG] : NEIGHBOURS);
  if (near === undefined) return undefined;
  throw unknown(directive, near);
}

/** As `nearest()`, quick for the many comments that are long or short. */
function nearestOf(name: string, candidates: readonly string[]): string | undefined {
  const likely = candidates.filter(({ length }) => Math.abs(length - name.length) <= 2);
  return likely.length === 0 ? undefined : nearest(name, likely);
}

function parse(line: string, position: SourcePosition): Directive {
  const [, word, rest] = /^(no-transaction|lock-timeout|statement-timeout)\s+([^\s:].*)$/i.exec(line) ?? [];
  // Nobody begins a sentence with these; a colon was forgotten.
  if (word !== undefined && (word.toLowerCase() === FLAG || /^\d/.test(rest!)))
    return { name: word.toLowerCase(), value: word.toLowerCase() === FLAG ? rest : undefined, position };
  const colon = line.indexOf(':');
  const name = (colon < 0 ? line : line.slice(0, colon)).trim().replaceAll(/\s+/g, ' ').toLowerCase();
  return { name, value: colon < 0 ? undefined : line.slice(colon + 1).trim(), position };
}

function unknown({ name, position }: Directive, near: string | undefined): SqlSyntaxError {
  const what = `"${name}" is no directive`;
  const advice =
    near === RESERVED
      ? ' that this version of holdfast knows. Install a newer one, or take the line out.'
      : near === undefined
        ? `. There are ${NAMES.join(', ')}.`
        : `; did you mean "${near}"? If it is meant as a plain comment, put another word in front of it.`;
  return new SqlSyntaxError(what + advice, { position });
}

function wrong({ name, position }: Directive, what: string): SqlSyntaxError {
  return new SqlSyntaxError(`"${name}" ${what}`, { position });
}
