import { messageOf } from '../../core/index.js';
import { explainDatabaseError } from '../database/explain-error.js';
import { MissingRightsError } from '../errors.js';

/** Rethrows why the holder's session could not be ended; a missing right with what grants it. */
export function refuseUnlock(error: unknown, grant: string): never {
  if (!['rights', 'missing'].includes(explainDatabaseError(error).kind)) throw error;
  throw new MissingRightsError(
    `This database user may not end the session that holds the lock (${messageOf(error)}). ${grant}, or end it as that user.`,
    { cause: error },
  );
}
