/** A place in a SQL file. */
export interface SourcePosition {
  /** From 1. `\n`, `\r\n` and `\r` each end a line. */
  readonly line: number;
  /** From 1, in code points, as editors count. */
  readonly column: number;
  /** From 0, in UTF-16 code units of the file's text without its BOM. */
  readonly offset: number;
}

/** A stretch of a text that stands where the file has a placeholder. */
export interface Replacement {
  /** UTF-16 offset in the text where the value begins. */
  readonly from: number;
  /** Where it ends, exclusive. */
  readonly to: number;
  /** What the file has there: `${schema}`. */
  readonly source: string;
}

export interface ScriptPart {
  /** As it is in the file, from its first token on (leading white space and comments are left out, comments inside stay) to before its terminator. */
  readonly text: string;
  /** Where `text` begins in the file. See `locate()` for a place inside of it. */
  readonly start: SourcePosition;
  /** Where `text` differs from the file: the placeholders that were replaced, in order. Absent where there is none. */
  readonly replacements?: readonly Replacement[];
}

/** One statement of a script, as the server is to get it. */
export interface SqlStatement extends ScriptPart {
  readonly kind: 'statement';
  /** From 1, within the file. */
  readonly index: number;
}

/** `COPY … FROM stdin` of PostgreSQL, with the data that follows it up to `\.` (exclusive). */
export interface CopyStatement extends ScriptPart {
  readonly kind: 'copy';
  readonly index: number;
  /** Chunks of the data, line ends as in the file. Whatever is not read is skipped when the next part is asked for. */
  readonly data: AsyncIterable<string>;
}

/** A comment line that begins with `--` (or `#` on MySQL) outside statements: where directives stand. `text` is what follows the dashes. */
export interface CommentLine extends ScriptPart {
  readonly kind: 'comment';
}

export type Statement = SqlStatement | CopyStatement;

/** What a splitter finds, in the order of the file. */
export type ScriptItem = Statement | CommentLine;

/** The text of a file, in pieces of any size, split anywhere but inside a surrogate pair. */
export type TextStream = AsyncIterable<string> | Iterable<string>;

/** A piece of text that stands where the file has a placeholder: positions are counted by `source`, not by `value`. */
export interface ReplacedText {
  readonly value: string;
  readonly source: string;
}

/** A {@link TextStream} in which placeholders may have been replaced. */
export type ScriptText = AsyncIterable<string | ReplacedText> | Iterable<string | ReplacedText>;

/**
 * Splits a script into statements while it is read: memory stays flat, whatever the size of the file. Yields what one
 * piece of the text completed, in groups that are never empty; a {@link CopyStatement} is the last of its group.
 *
 * Throws `SqlSyntaxError` with the position for what can never be sent: a quote, comment or block that does not end, a
 * psql meta-command, a DELIMITER without its argument.
 */
export type SplitScript = (text: ScriptText) => AsyncIterable<readonly ScriptItem[]>;
