import type { MigrationSession } from '../database/session.js';
import type { Fingerprint } from '../sql/landed.js';
import type { StatementTraits } from '../sql/traits.js';
import type { ScriptStatement } from './script.js';
import type { ScriptRun } from './script-run.js';
import { entryOfOne } from './statement-hash.js';
import { beginWithNext } from './transaction.js';

/** What MySQL commits first, and then runs. */
const COMMITS_FIRST = /^(?:CREATE|ALTER|DROP|RENAME|TRUNCATE)\b/;

export interface Started extends ScriptStatement {
  /** What the catalogue says of its target before, or how the server is asked. */
  readonly fingerprint: Fingerprint | undefined;
  /** Lets other deployers see what runs, with what is sent next. */
  readonly announce: () => Promise<void>;
}

/** Whether the statement commits what travels in front of it. */
export function commitsFirst({ server }: MigrationSession, { command }: StatementTraits): boolean {
  return !server.supportsTransactionalDdl && COMMITS_FIRST.test(command);
}

/**
 * Writes down that a statement is about to be sent. MySQL commits first what is open, and then runs DDL: the row travels in
 * front of it, in a transaction that this commit ends. What may roll back by itself, and what PostgreSQL takes by itself
 * alone, is sent after its row.
 */
export async function writeStarted(
  run: ScriptRun,
  { statement, traits, fingerprint, announce }: Started,
): Promise<void> {
  const { session, journal, profile } = run;
  if (journal === undefined) return;
  const isCommittedByIt = commitsFirst(session, traits);
  await run.assertHeld('with what is next');
  if (isCommittedByIt) beginWithNext(session);
  await announce();
  await journal.started(session, profile.script, {
    ...entryOfOne(statement),
    fingerprint,
    when: isCommittedByIt ? 'with what is next' : 'now',
  });
}
