import { TransactionControlError } from '../../errors.js';

/** A statement that a hand-written transaction begins or ends with. */
export type PgControl =
  | { readonly verb: 'begin'; readonly isolationLevel: string | undefined }
  | { readonly verb: 'commit' | 'rollback' };

// Leading white space and comments, then one of the words that a control statement begins with.
const LEADING =
  /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*(begin|start|commit|end|rollback|abort|prepare)\b/i;
const WHOLE =
  /^(?:(begin|start\s+transaction)(?:\s+(?:work|transaction))?((?:\s|,)[\s\S]*)?|(commit|end|rollback|abort)(?:\s+(?:work|transaction))?(?:\s+and\s+no\s+chain)?)$/i;
const ISOLATION = /isolation\s+level\s+(read\s+uncommitted|read\s+committed|repeatable\s+read|serializable)/i;

/**
 * Recognises BEGIN, COMMIT and ROLLBACK. `ROLLBACK TO`, `SAVEPOINT` and `RELEASE` are ordinary statements of a
 * transaction. Throws {@link TransactionControlError} for what would end the transaction as a whole.
 */
export function readControl(text: string): PgControl | undefined {
  const leading = LEADING.exec(text);
  if (!leading) return undefined;
  const statement = text.slice(leading[0].length - leading[1]!.length).replace(/[;\s]+$/, '');
  const word = leading[1]!.toLowerCase();
  if (word === 'prepare' && !/^prepare\s+transaction\b/i.test(statement)) return undefined;
  if (
    word === 'rollback' &&
    /^rollback\s+(?:work\s+|transaction\s+)?to\b/i.test(statement) &&
    !statement.includes(';')
  )
    return undefined;
  const whole = statement.includes(';') ? null : WHOLE.exec(statement);
  if (!whole) {
    throw new TransactionControlError(
      `"${statement.slice(0, 40)}" would begin or end a transaction behind its owner's back and was not sent. ` +
        'Inside a transaction send BEGIN, COMMIT or ROLLBACK as a statement of its own, on one client (it becomes a savepoint), ' +
        'or use @Transactional({ propagation: "NESTED" }) or runOutsideTransaction().',
    );
  }
  if (whole[3]) return { verb: /^(?:commit|end)/i.test(whole[3]) ? 'commit' : 'rollback' };
  const level = ISOLATION.exec(whole[2] ?? '')?.[1];
  return { verb: 'begin', isolationLevel: level?.toUpperCase().replace(/\s+/g, ' ') };
}
