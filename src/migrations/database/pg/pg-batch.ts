import type { SqlStatement } from '../../sql/statement.js';
import type { ServerWarning, StatementOutcome } from '../session.js';
import type { PgConnection, PgNotice, PgSubmittable } from './pg-types.js';

/** Between statements. A statement may end in a `--` comment, so the separator is on a line of its own. */
export const SEPARATOR = '\n;\n';

/** A statement that raises a notice for each of a million rows must not fill the memory. */
const MOST_NOTICES = 100;

/** Statements of ours that travel with those of a migration. */
export interface Companions {
  readonly before?: readonly string[];
  readonly behind?: readonly string[];
}

/** Where in a batch the server's error belongs. */
export interface BatchFailure {
  readonly error: Error;
  /** Place of the statement in the batch; the number of statements for what travels behind them. */
  readonly at: number;
  /** UTF-16 offset in its text. */
  readonly offset: number | undefined;
}

/**
 * Several statements as one simple query. Rows are thrown away as they come in. `pg` drops the results before an error, so
 * the answers are counted here: the number of those that came is the place of the statement that failed.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT
 */
export class PgBatch implements PgSubmittable {
  readonly #texts: readonly string[];
  /** How many of the texts are in front of the caller's. */
  readonly #before: number;
  /** How many are the caller's. */
  readonly #count: number;
  readonly #rowCounts: (number | undefined)[] = [];
  readonly #notices: ServerWarning[][] = [];
  readonly #settle: (failure: BatchFailure | undefined) => void;
  /** Resolves when the server has answered, to what went wrong. */
  readonly done: Promise<BatchFailure | undefined>;
  /** Resolves once nothing more comes of it: to the status of the transaction, or to nothing where the connection is gone. */
  readonly over: Promise<string | undefined>;
  /** What was sent behind it before it was answered. */
  ahead: PgBatch | undefined;
  readonly #end: (status: string | undefined) => void;
  #isSent = false;
  #isAnswered = false;

  constructor(
    statements: readonly Pick<SqlStatement, 'text'>[],
    { before = [], behind = [] }: Companions = {},
  ) {
    this.#texts = [...before, ...statements.map(({ text }) => text), ...behind];
    this.#before = before.length;
    this.#count = statements.length;
    let settle!: (failure: BatchFailure | undefined) => void;
    this.done = new Promise((resolve) => (settle = resolve));
    this.#settle = (failure) => {
      this.#isAnswered = true;
      settle(failure);
    };
    let end!: (status: string | undefined) => void;
    this.over = new Promise((resolve) => (end = resolve));
    this.#end = end;
  }

  /** Whether the server's answer, or its error, has come. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  get outcomes(): StatementOutcome[] {
    return Array.from({ length: this.#count }, (_, index) => ({
      rowCount: this.#rowCounts[this.#before + index],
      warningCount: 0,
      warnings: this.#notices[this.#before + index] ?? [],
    }));
  }

  /** How many statements were answered so far, ours among them. */
  get answered(): number {
    return this.#rowCounts.length;
  }

  addNotice(notice: PgNotice): void {
    const notices = (this.#notices[this.answered] ??= []);
    if (notices.length >= MOST_NOTICES) return;
    notices.push({
      code: notice.code ?? '00000',
      level: notice.severity === 'WARNING' ? 'warning' : 'note',
      message: notice.message ?? '',
    });
  }

  /** When the server is ready for what is next, or the connection gone. An error of it comes before that. */
  endWith(status: string | undefined): void {
    this.#end(status);
  }

  /** Sends it, unless that was done: the client calls this once what was sent before is answered. */
  submit(connection: PgConnection): null {
    if (!this.#isSent) connection.query(this.#texts.join(SEPARATOR));
    this.#isSent = true;
    return null;
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#rowCounts.push(rowCountOf(text));
  }

  handleEmptyQuery(): void {
    this.#rowCounts.push(undefined);
  }

  handleReadyForQuery(): void {
    this.#settle(undefined);
  }

  handleError(error: Error): void {
    const { at, offset } = this.#placeOf(error);
    this.#settle({ error, at: Math.min(this.#count, Math.max(0, at - this.#before)), offset });
  }

  /** A `COPY … FROM STDIN` whose data the splitter did not see: without an end to it the server would wait for ever. */
  handleCopyInResponse(connection: PgConnection): void {
    connection.sendCopyFail('no data was found behind the COPY statement');
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleCopyData(): void {}

  #placeOf(error: Error): { at: number; offset: number | undefined } {
    const position = Number((error as { position?: string }).position);
    const pointed = position > 0 ? this.#statementAt(position - 1) : undefined;
    // A syntax error is found before the first statement runs; whatever else is found, the counted answers say where.
    if (pointed && (this.answered === 0 || pointed.at === this.answered)) return pointed;
    return { at: Math.min(this.answered, this.#texts.length - 1), offset: undefined };
  }

  /** The server counts code points. */
  #statementAt(codePoints: number): { at: number; offset: number } | undefined {
    let left = codePoints;
    for (const [at, text] of this.#texts.entries()) {
      const offset = offsetOfCodePoint(text, left);
      if (offset !== undefined) return { at, offset };
      left -= countCodePoints(text) + SEPARATOR.length;
      // At the separator: the statement ended too early.
      if (left < 0) return { at, offset: text.length };
    }
    return undefined;
  }
}

/** UTF-16 offset of the code point of that number (from 0), unless the text is shorter. */
function offsetOfCodePoint(text: string, number: number): number | undefined {
  let offset = 0;
  for (let seen = 0; offset < text.length; seen++) {
    if (seen === number) return offset;
    offset += text.codePointAt(offset)! > 0xffff ? 2 : 1;
  }
  return undefined;
}

function countCodePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** `INSERT 0 5` -> 5, `SELECT 3` -> 3, `CREATE TABLE` -> undefined. */
export function rowCountOf(tag: string): number | undefined {
  const [, count] = / (\d+)$/.exec(tag) ?? [];
  return count === undefined ? undefined : Number(count);
}
