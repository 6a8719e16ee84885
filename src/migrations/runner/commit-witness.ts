import type { MigrationSession } from '../database/session.js';
import { beginWithNext } from './transaction.js';

/** They commit as they like, so that no transaction can be around them: also where the server would take it. */
export const COMMITS_INSIDE = /^(?:CALL|DO|EXECUTE)\b/;
/** What may commit in the middle, unseen: a procedure, a prepared statement, MySQL's blocks outside of stored programs. */
const MAY_COMMIT = /^(?:CALL|EXECUTE|BEGIN NOT ATOMIC|BEGIN BLOCK|IF|CASE|LOOP|WHILE|REPEAT|FOR|DECLARE)\b/;
/** A COMMIT takes it away, whatever is begun after it. */
const WITNESS = 'holdfast_witness';

/** Whether the server lets the statement commit the transaction that it was sent in: MySQL and MariaDB do. */
export function mayCommit(session: MigrationSession, command: string): boolean {
  return !session.server.supportsTransactionalDdl && MAY_COMMIT.test(command);
}

/** Begins a transaction with what is sent next, and puts the witness into it. */
export function beginWatched(session: MigrationSession): void {
  beginWithNext(session);
  session.defer({ text: `SAVEPOINT ${WITNESS}` });
}

/** Whether the transaction is still the one that {@link beginWatched} began; so it is where the connection was lost. */
export function isStillThere(session: MigrationSession): Promise<boolean> {
  return session.query(`RELEASE SAVEPOINT ${WITNESS}`).then(
    () => true,
    () => session.lost !== undefined,
  );
}
