import { HoldfastError, messageOf } from '../../core/index.js';
import { databaseCodeOf, explainDatabaseError } from '../database/explain-error.js';
import type { MigrationSession } from '../database/session.js';
import { MissingRightsError, StatementFailedError } from '../errors.js';
import type { History } from '../history/history.js';
import { JOURNAL_TABLE } from '../history/journal.js';
import { LOCK_TABLE } from '../locks/lock-table.js';

/** Where a query of our own failed. */
export interface OwnQuery {
  readonly session: MigrationSession;
  /** Absent before it is settled where it is. */
  readonly history: History | undefined;
}

/**
 * What the caller is told when the server refused a query of ours, on the history, the journal or the lock: a
 * `MissingRightsError` naming the grant, or a `StatementFailedError`. Any other error stays as it is.
 */
export function explainOwnError(error: unknown, { session, history }: OwnQuery): unknown {
  const isLost = session.lost !== undefined && isOfConnection(error, session.lost);
  if (error instanceof HoldfastError || (!isLost && databaseCodeOf(error) === undefined)) return error;
  const { kind, code, sentence, retryable } = explainDatabaseError(error, { isLost });
  if (kind === 'rights')
    return new MissingRightsError(
      `The server refused a query of holdfast's own: ${messageOf(error)} [${code}]. ${adviceOf(messageOf(error), { session, history })}`,
      { cause: error },
    );
  return new StatementFailedError(`A query of holdfast's own failed. ${sentence}`, {
    at: 0,
    outcomeUnknown: isLost,
    retryable,
    cause: error,
  });
}

/** The grant for a table that is written to in every run. */
export function grantOnTable(session: MigrationSession, table: string, user: string | undefined): string {
  const grantee = session.dialect === 'mysql' || user === undefined ? 'the user' : session.quote(user);
  return `GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO ${grantee}`;
}

function adviceOf(message: string, { session, history }: OwnQuery): string {
  const owned = history === undefined ? [] : [history.name, JOURNAL_TABLE, LOCK_TABLE];
  const name = owned.find((each) => message.includes(each));
  const grant =
    name === undefined
      ? 'Grant the right to the database user'
      : grantOnTable(session, `${session.quote(history!.schema)}.${session.quote(name)}`, history!.user);
  return `${grant}, or migrate as the owner of the schema.`;
}

function isOfConnection(error: unknown, lost: Error): boolean {
  return error === lost || typeof (error as { code?: unknown } | undefined)?.code === 'string';
}
