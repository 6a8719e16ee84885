import { TransactionControlError } from '../../errors.js';
import type { ManualControl } from '../../hand-written.js';
import { readSavepoint } from '../../savepoint-control.js';

const FIRST_WORD = /^(?:begin|commit|end|rollback|pragma|savepoint|release)\b/i;
const BEGIN = /^begin(?:\s+(?:deferred|immediate|exclusive))?(?:\s+transaction)?$/i;
const COMMIT = /^(?:commit|end)(?:\s+transaction)?$/i;
const ROLLBACK = /^rollback(?:\s+transaction)?$/i;
const QUERY_ONLY = /^pragma\s+(?:\S+\s*\.\s*)?["'`[]?query_only\b/i;

/**
 * Recognises BEGIN, COMMIT and ROLLBACK, SAVEPOINT, RELEASE and ROLLBACK TO, each by itself. Throws
 * {@link TransactionControlError} for what would end more than it began, or change the transaction as a whole.
 */
export function readControl(text: string): ManualControl | undefined {
  const start = startOfStatement(text);
  if (!FIRST_WORD.test(text.slice(start, start + 10))) return undefined;
  const statement = text.slice(start).replace(/[\s;]+$/, '');
  const savepoint = readSavepoint(statement);
  // SQLite does not tell capital letters from small ones.
  if (savepoint) return { ...savepoint, name: savepoint.name.toLowerCase() };
  if (/^(?:savepoint|release)\b/i.test(statement)) return undefined;
  if (QUERY_ONLY.test(statement)) {
    throw new TransactionControlError(
      'PRAGMA query_only inside a transaction would change whether it is read-only, and was not sent. Use @Transactional({ readOnly: true }).',
    );
  }
  if (/^pragma\b/i.test(statement)) return undefined;
  if (BEGIN.test(statement)) return { verb: 'begin', isolationLevel: undefined, readOnly: false };
  const sent = firstWordOf(statement);
  if (COMMIT.test(statement)) return { verb: 'commit', sent };
  if (ROLLBACK.test(statement)) return { verb: 'rollback', sent };
  throw new TransactionControlError(
    `A statement that begins with ${sent} would begin or end a transaction behind its owner's back and was not sent. ` +
      'Inside a transaction send BEGIN, COMMIT or ROLLBACK as a statement of its own, on one QueryRunner (it becomes a savepoint), ' +
      'or use @Transactional({ propagation: "NESTED" }).',
  );
}

/** The first word, in capitals, behind white space and comments. */
function firstWordOf(text: string): string {
  return /^\w*/.exec(text.slice(startOfStatement(text)))![0].toUpperCase();
}

/** The offset of the first character that is neither white space nor comment. */
function startOfStatement(text: string): number {
  let index = 0;
  for (;;) {
    while (index < text.length && text.charCodeAt(index) <= 32) index++;
    const [open, close] = text.startsWith('--', index) ? ['--', '\n'] : ['/*', '*/'];
    if (!text.startsWith(open!, index)) return index;
    const end = text.indexOf(close!, index + 2);
    index = end === -1 ? text.length : end + close!.length;
  }
}
