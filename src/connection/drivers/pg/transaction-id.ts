import { startOfStatement } from './pg-control.js';

/** Assigns the transaction its id and answers it. In front of a statement that would be given one anyway. */
export const ASSIGN_TRANSACTION_ID = 'SELECT pg_current_xact_id()';
/** Answers the transaction's id, or NULL when it has none because nothing was written. */
export const READ_TRANSACTION_ID = 'SELECT pg_current_xact_id_if_assigned()';

const WRITES = /^(?:insert|update|delete|merge)\b/i;
const READS = /^(?:select|with|values|table|show|set)\b/i;
const WRITES_INSIDE = /\b(?:insert|update|delete|merge|into)\b|;\s*\S/i;

/**
 * Whether a statement leaves something for COMMIT to keep, as far as its text tells: `maybe` where it does not.
 * A function that writes, called in a SELECT, passes for a read.
 */
export function writes(text: unknown): 'yes' | 'no' | 'maybe' {
  if (typeof text !== 'string') return 'maybe';
  const statement = text.slice(startOfStatement(text));
  if (WRITES.test(statement)) return 'yes';
  return READS.test(statement) && !WRITES_INSIDE.test(statement) ? 'no' : 'maybe';
}
