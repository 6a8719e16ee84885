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

/** In strict mode such a statement fails or is silent, but for notes: a time that is cut off from a date. */
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

/** Whether a statement is silent where it does not fail, in strict mode. */
export function rarelyWarns(text: string): boolean {
  return RARELY_WARNS.test(text) && !OFTEN_WARNS.test(text);
}

export function travelsAlone({ text }: SqlStatement): boolean {
  return ANY_NUMBER_OF_RESULTS.test(text);
}

/** Undoes a packet in which something warned that was not asked for its warnings. */
export const UNDO_PACKET = 'ROLLBACK TO SAVEPOINT holdfast_packet';

/** Which statements of a packet are asked for their warnings. */
export type AskedForWarnings = 'all' | 'those that often warn';

/**
 * Statements in one packet. The server stops at the first that fails, so nothing runs behind an error, not even after a
 * deadlock that has rolled the transaction back. It keeps the warnings of the last statement alone, and says with each how
 * many there were: `SHOW WARNINGS` goes behind whatever may have some (1.3 times the time of 200 INSERTs without). Where
 * it does not stand behind all, a savepoint in front lets the packet be sent once more with it.
 */
export class MysqlPacket {
  readonly #statements: readonly SqlStatement[];
  /** Of each result that is to come: the statement, and what it is of it. */
  readonly #expected: { readonly at: number; readonly is: 'outcome' | 'warnings' | 'ours' }[] = [];
  readonly sql: string;

  /** `before` are statements of ours that travel in front. */
  constructor(statements: readonly SqlStatement[], asked: AskedForWarnings, before: readonly string[] = []) {
    this.#statements = statements;
    const parts: string[] = [];
    let isEachAsked = true;
    for (const [at, { text }] of statements.entries()) {
      parts.push(text);
      this.#expected.push({ at, is: 'outcome' });
      if (at === statements.length - 1) continue;
      if (asked === 'those that often warn' && rarelyWarns(text)) {
        isEachAsked = false;
        continue;
      }
      parts.push('SHOW WARNINGS');
      this.#expected.push({ at, is: 'warnings' });
    }
    if (!isEachAsked) {
      parts.unshift('SAVEPOINT holdfast_packet');
      this.#expected.unshift({ at: 0, is: 'ours' });
    }
    parts.unshift(...before);
    this.#expected.unshift(...before.map(() => ({ at: 0, is: 'ours' }) as const));
    this.sql = parts.join(SEPARATOR);
  }

  /** A statement by itself, whatever it answers. */
  get isSingle(): boolean {
    return this.#statements.length === 1;
  }

  keepsRows(place: number): boolean {
    return this.#expected[place]?.is === 'warnings';
  }

  /** The statement that failed, when `results` came before the error. */
  failedAt({ results, open }: WireAnswer): number {
    if (this.isSingle) return 0;
    // SHOW WARNINGS does not fail once its rows come: the error followed them. It stands behind whatever else has rows.
    const isBehind = open !== undefined && this.#expected[results.length]?.is === 'warnings';
    return this.#expected[results.length + (isBehind ? 1 : 0)]?.at ?? this.#statements.length - 1;
  }

  /** Whether a statement warned whose warnings the server no longer has. */
  forgets(outcomes: readonly PacketOutcome[]): boolean {
    return outcomes.slice(0, -1).some(({ warnings, warningCount = 0 }) => !warnings && warningCount > 0);
  }

  outcomes({ results }: WireAnswer): PacketOutcome[] {
    if (this.isSingle) return [outcomeOf(results.at(-1))];
    const outcomes: PacketOutcome[] = [];
    for (const [place, { at, is }] of this.#expected.entries()) {
      const result = results[place];
      if (is === 'outcome') outcomes[at] = outcomeOf(result);
      else if (is === 'warnings' && result) outcomes[at] = withWarnings(outcomes[at]!, readWarnings(result));
    }
    return outcomes;
  }
}

export function outcomeOf(result: WireResult | undefined): PacketOutcome {
  return { rowCount: result?.rowCount, warningCount: result?.warningCount, warnings: undefined };
}

export function withWarnings(outcome: PacketOutcome, warnings: readonly ServerWarning[]): PacketOutcome {
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
