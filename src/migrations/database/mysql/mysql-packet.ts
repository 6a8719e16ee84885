import type { SqlStatement } from '../../sql/statement.js';
import type { ServerWarning } from '../session.js';
import type { WireAnswer, WireResult } from './mysql-wire.js';

/** A statement may end in a comment, so the separator is on a line of its own. */
export const SEPARATOR = '\n;\n';

/**
 * How many results one of these sends nobody knows before: a procedure sends one for each of its SELECTs, and what stands
 * in a conditional comment may be anything. They travel by themselves.
 */
const ANY_NUMBER_OF_RESULTS = /^(?:CALL|EXECUTE|BEGIN|DECLARE|IF|LOOP|WHILE|FOR|\/\*)/i;

/** In strict mode such a statement fails or is silent. */
const RARELY_WARNS = /^(?:INSERT|REPLACE)\s+INTO\b/i;
const OFTEN_WARNS = /\b(?:IGNORE|SELECT|DUPLICATE|RETURNING|WITH)\b/i;

/** What becomes of one statement of a packet. */
export interface PacketOutcome {
  readonly rowCount: number | undefined;
  /** `undefined` where the driver hides it. */
  readonly warningCount: number | undefined;
  /** `undefined` where they were not asked for in the packet. */
  readonly warnings: readonly ServerWarning[] | undefined;
}

export function travelsAlone({ text }: SqlStatement): boolean {
  return ANY_NUMBER_OF_RESULTS.test(text);
}

/**
 * Statements in one packet. The server stops at the first that fails, so nothing runs behind an error, not even after a
 * deadlock that has rolled the transaction back. It keeps the warnings of the last statement alone, and says with each how
 * many there were: `SHOW WARNINGS` goes behind whatever may have some (1.3 times the time of 200 INSERTs without).
 */
export class MysqlPacket {
  readonly #statements: readonly SqlStatement[];
  /** Of each result that is to come: the statement, and whether it is its warnings. */
  readonly #expected: { readonly at: number; readonly isWarnings: boolean }[] = [];
  readonly sql: string;

  constructor(statements: readonly SqlStatement[], options: { readonly isStrict: boolean }) {
    this.#statements = statements;
    const parts: string[] = [];
    for (const [at, { text }] of statements.entries()) {
      parts.push(text);
      this.#expected.push({ at, isWarnings: false });
      const isLast = at === statements.length - 1;
      if (isLast || (options.isStrict && RARELY_WARNS.test(text) && !OFTEN_WARNS.test(text))) continue;
      parts.push('SHOW WARNINGS');
      this.#expected.push({ at, isWarnings: true });
    }
    this.sql = parts.join(SEPARATOR);
  }

  /** A statement by itself, whatever it answers. */
  get isSingle(): boolean {
    return this.#statements.length === 1;
  }

  keepsRows(place: number): boolean {
    return this.#expected[place]?.isWarnings === true;
  }

  /** The statement that failed, when `results` came before the error. */
  failedAt({ results }: WireAnswer): number {
    if (this.isSingle) return 0;
    return this.#expected[results.length]?.at ?? this.#statements.length - 1;
  }

  outcomes({ results }: WireAnswer): PacketOutcome[] {
    if (this.isSingle) return [outcomeOf(results.at(-1))];
    const outcomes: PacketOutcome[] = [];
    for (const [place, { at, isWarnings }] of this.#expected.entries()) {
      const result = results[place];
      if (!isWarnings) outcomes[at] = outcomeOf(result);
      else if (result) outcomes[at] = withWarnings(outcomes[at]!, readWarnings(result));
    }
    return outcomes;
  }
}

function outcomeOf(result: WireResult | undefined): PacketOutcome {
  return { rowCount: result?.rowCount, warningCount: result?.warningCount, warnings: undefined };
}

function withWarnings(outcome: PacketOutcome, warnings: readonly ServerWarning[]): PacketOutcome {
  return { ...outcome, warningCount: outcome.warningCount ?? warnings.length, warnings };
}

/** Reads the rows of SHOW WARNINGS: level, code, message. */
export function readWarnings({ rows }: WireResult): ServerWarning[] {
  return rows.map(([level, code, message]) => ({
    code: String(code),
    level: level === 'Note' ? 'note' : level === 'Error' ? 'error' : 'warning',
    message: String(message),
  }));
}
