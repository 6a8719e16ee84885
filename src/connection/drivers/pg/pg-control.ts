import type { ManualModes } from '../../ambient-scope.js';
import { TransactionControlError } from '../../errors.js';

/** A statement that a hand-written transaction begins or ends with. */
export type PgControl =
  | ({ readonly verb: 'begin' } & ManualModes)
  /** `sent` is the word that it was sent as: END is a COMMIT. */
  | { readonly verb: 'commit' | 'rollback'; readonly sent: string };

const FIRST_WORD = /^(?:begin|start|commit|end|rollback|abort|prepare)\b/i;
const PREPARE_TRANSACTION = /^prepare\s+transaction\b/i;
const ROLLBACK_TO_SAVEPOINT = /^rollback\s+(?:work\s+|transaction\s+)?to\b/i;
const BEGIN = /^(?:begin(?:\s+(?:work|transaction))?|start\s+transaction)\b/i;
const END = /^(?:(commit|end)|rollback|abort)(?:\s+(?:work|transaction))?(?:\s+and\s+no\s+chain)?$/i;
const READ_ONLY = /\bread\s+only\b/i;
const ISOLATION =
  /\bisolation\s+level\s+(read\s+uncommitted|read\s+committed|repeatable\s+read|serializable)\b/i;

/**
 * Recognises BEGIN, COMMIT and ROLLBACK. `ROLLBACK TO`, `SAVEPOINT` and `RELEASE` are ordinary statements of a
 * transaction. Throws {@link TransactionControlError} for what would end the transaction as a whole.
 */
export function readControl(text: string): PgControl | undefined {
  const start = startOfStatement(text);
  if (!FIRST_WORD.test(text.slice(start, start + 10))) return undefined;
  const statement = withoutEnd(text.slice(start));
  if (/^prepare\b/i.test(statement) && !PREPARE_TRANSACTION.test(statement)) return undefined;
  if (!statement.includes(';')) {
    if (ROLLBACK_TO_SAVEPOINT.test(statement)) return undefined;
    if (BEGIN.test(statement)) {
      return {
        verb: 'begin',
        isolationLevel: ISOLATION.exec(statement)?.[1]?.toUpperCase().replace(/\s+/g, ' '),
        readOnly: READ_ONLY.test(statement),
      };
    }
    const end = END.exec(statement);
    if (end) return { verb: end[1] ? 'commit' : 'rollback', sent: firstWordOf(statement) };
  }
  throw new TransactionControlError(
    `A statement that begins with ${firstWordOf(statement)} would begin or end a transaction behind its owner's back and was not sent. ` +
      'Inside a transaction send BEGIN, COMMIT or ROLLBACK as a statement of its own, on one client (it becomes a savepoint), ' +
      'or use @Transactional({ propagation: "NESTED" }) or runOutsideTransaction().',
  );
}

function firstWordOf(statement: string): string {
  return statement.split(/\s/, 1)[0]!.toUpperCase();
}

/** The offset of the first character that is neither white space nor comment (PostgreSQL's block comments nest). */
export function startOfStatement(text: string): number {
  let index = 0;
  for (;;) {
    while (index < text.length && text.charCodeAt(index) <= 32) index++;
    if (text.startsWith('--', index)) {
      const end = text.indexOf('\n', index);
      index = end === -1 ? text.length : end + 1;
    } else if (text.startsWith('/*', index)) index = endOfBlockComment(text, index);
    else return index;
  }
}

function endOfBlockComment(text: string, start: number): number {
  let depth = 0;
  for (let index = start; index < text.length; index++) {
    if (text.startsWith('/*', index)) {
      depth++;
      index++;
    } else if (text.startsWith('*/', index)) {
      depth--;
      index++;
      if (depth === 0) return index + 1;
    }
  }
  return text.length;
}

/** The statement without the separators and the white space behind it. */
function withoutEnd(statement: string): string {
  let end = statement.length;
  while (end > 0 && (statement.charCodeAt(end - 1) <= 32 || statement[end - 1] === ';')) end--;
  return statement.slice(0, end);
}
