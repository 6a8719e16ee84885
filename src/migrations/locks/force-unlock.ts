import { messageOf } from '../../core/index.js';
import { explainDatabaseError } from '../database/explain-error.js';
import { MissingRightsError } from '../errors.js';

/** ER_NO_SUCH_THREAD: it has ended by itself meanwhile. */
const GONE = '1094';

/** Rethrows why the holder's session could not be ended; a missing right with what grants it. */
export function refuseUnlock(error: unknown, grant: string): void {
  const { code, kind } = explainDatabaseError(error);
  if (code === GONE) return;
  if (kind !== 'rights') throw error;
  throw new MissingRightsError(
    `This database user may not end the session that holds the lock (${messageOf(error)}). ${grant}, or end it as that user.`,
    { cause: error },
  );
}
