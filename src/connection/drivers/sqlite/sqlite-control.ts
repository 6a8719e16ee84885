import { TransactionControlError } from '../../errors.js';

/** A statement that a hand-written transaction begins or ends with. */
export type SqliteControl = 'begin' | 'commit' | 'rollback';

const FIRST_WORD = /^(?:begin|commit|end|rollback|pragma)\b/i;
const BEGIN = /^begin(?:\s+(?:deferred|immediate|exclusive))?(?:\s+transaction)?$/i;
const COMMIT = /^(?:commit|end)(?:\s+transaction)?$/i;
const ROLLBACK = /^rollback(?:\s+transaction)?$/i;
const ROLLBACK_TO_SAVEPOINT = /^rollback(?:\s+transaction)?\s+to\b/i;
const QUERY_ONLY = /^pragma\s+(?:\S+\s*\.\s*)?["'`[]?query_only\b/i;

/**
 * Recognises BEGIN, COMMIT and ROLLBACK; savepoint statements are ordinary statements of a transaction. Throws
 * {@link TransactionControlError} for what would change the transaction as a whole.
 */
export function readControl(text: string): SqliteControl | undefined {
  const start = startOfStatement(text);
  if (!FIRST_WORD.test(text.slice(start, start + 10))) return undefined;
  const statement = text.slice(start).replace(/[\s;]+$/, '');
  if (ROLLBACK_TO_SAVEPOINT.test(statement)) return undefined;
  if (QUERY_ONLY.test(statement)) {
    throw new TransactionControlError(
      'PRAGMA query_only inside a transaction would change whether it is read-only, and was not sent. Use @Transactional({ readOnly: true }).',
    );
  }
  if (/^pragma\b/i.test(statement)) return undefined;
  if (BEGIN.test(statement)) return 'begin';
  if (COMMIT.test(statement)) return 'commit';
  if (ROLLBACK.test(statement)) return 'rollback';
  throw new TransactionControlError(
    `A statement that begins with ${firstWordOf(statement)} would begin or end a transaction behind its owner's back and was not sent. ` +
      'Inside a transaction send BEGIN, COMMIT or ROLLBACK as a statement of its own, on one QueryRunner (it becomes a savepoint), ' +
      'or use @Transactional({ propagation: "NESTED" }).',
  );
}

/** The first word, in capitals, behind white space and comments. */
export function firstWordOf(text: string): string {
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
