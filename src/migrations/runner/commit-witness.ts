import type { MigrationSession } from '../database/session.js';
import type { Statement } from '../sql/statement.js';
import { placeIn } from './place.js';
import { ScriptProblem } from './script-problem.js';

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

/** A journaled script goes on after it: what it has committed is written down. */
export function committedProblem(statement: Statement): ScriptProblem {
  return new ScriptProblem('it committed the transaction that it ran in', {
    place: placeIn(statement),
    next: 'What commits by itself can stand in a file with the line `-- no-transaction` at its head: put it there and run `up` again, which goes on after it.',
  });
}

/** Puts the witness into the transaction, with what is sent next. */
export function watch(session: MigrationSession): void {
  session.defer({ text: `SAVEPOINT ${WITNESS}` });
}

/** Whether the transaction is still the one that was watched; so it is where the connection was lost. */
export function isStillThere(session: MigrationSession): Promise<boolean> {
  return session.query(`RELEASE SAVEPOINT ${WITNESS}`).then(
    () => true,
    () => session.lost !== undefined,
  );
}
