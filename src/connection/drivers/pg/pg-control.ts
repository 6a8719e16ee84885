import { TransactionControlError } from '../../errors.js';
import type { ManualControl } from '../../hand-written.js';
import { readSavepoint } from '../../savepoint-control.js';

const FIRST_WORD = /^(?:begin|start|commit|end|rollback|abort|prepare|savepoint|release)\b/i;
const PREPARE_TRANSACTION = /^prepare\s+transaction\b/i;
const BEGIN = /^(?:begin(?:\s+(?:work|transaction))?|start\s+transaction)\b/i;
const END = /^(?:(commit|end)|rollback|abort)(?:\s+(?:work|transaction))?(?:\s+and\s+no\s+chain)?$/i;
const READ_ONLY = /\bread\s+only\b/i;
const ISOLATION =
  /\bisolation\s+level\s+(read\s+uncommitted|read\s+committed|repeatable\s+read|serializable)\b/i;

/**
 * Recognises BEGIN, COMMIT and ROLLBACK, SAVEPOINT, RELEASE and ROLLBACK TO, each by itself. Throws
 * {@link TransactionControlError} for what would end more than it began.
 */
export function readControl(text: string): ManualControl | undefined {
  const start = startOfStatement(text);
  if (!FIRST_WORD.test(text.slice(start, start + 10))) return undefined;
  const statement = withoutEnd(text.slice(start));
  if (/^prepare\b/i.test(statement) && !PREPARE_TRANSACTION.test(statement)) return undefined;
  const savepoint = readSavepoint(statement);
  if (savepoint || /^(?:savepoint|release)\b/i.test(statement)) return savepoint;
  if (!statement.includes(';')) {
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
