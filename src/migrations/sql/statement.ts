/** A place in a SQL file. */
export interface SourcePosition {
  /** From 1. `\n`, `\r\n` and `\r` each end a line. */
  readonly line: number;
  /** From 1, in code points, as editors count. */
  readonly column: number;
  /** From 0, in UTF-16 code units of the file's text without its BOM. */
  readonly offset: number;
}

interface ScriptPart {
  /** As it is in the file, from its first token on (leading white space and comments are left out, comments inside stay) to before its terminator. */
  readonly text: string;
  /** Where `text` begins. */
  readonly start: SourcePosition;
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

/**
 * Splits a script into statements while it is read: memory stays flat, whatever the size of the file. Yields what one
 * piece of the text completed, in groups that are never empty; a {@link CopyStatement} is the last of its group.
 *
 * Throws `SqlSyntaxError` with the position for what can never be sent: a quote, comment or block that does not end, a
 * psql meta-command, a DELIMITER without its argument.
 */
export type SplitScript = (text: TextStream) => AsyncIterable<readonly ScriptItem[]>;
