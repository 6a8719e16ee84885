import { messageOf } from '../../core/index.js';
import type { MigrationSession, ServerWarning } from '../database/session.js';
import type { SqlStatement } from '../sql/statement.js';

/** Statements of ours that have no parameters, in one round trip. */
export async function runOwn(
  session: MigrationSession,
  texts: readonly string[],
): Promise<readonly ServerWarning[]> {
  const statements = texts.map((text, index): SqlStatement => ({
    kind: 'statement',
    text,
    index: index + 1,
    start: { line: 1, column: 1, offset: 0 },
  }));
  const outcomes = await session.run(statements);
  return outcomes.flatMap(({ warnings }) => warnings);
}

/**
 * PostgreSQL: in READ COMMITTED, whatever the server's default is. Above it a migration that takes longer than a third of
 * a lease could never commit: the heartbeat renews the row of the lease, and to lock a row that has changed since the
 * snapshot is an error there (40001). A file that needs more begins with SET TRANSACTION ISOLATION LEVEL, for nothing that
 * takes a snapshot is sent before it. MySQL's FOR UPDATE reads the newest row in every isolation level.
 */
const BEGIN = { postgres: 'BEGIN ISOLATION LEVEL READ COMMITTED', mysql: 'START TRANSACTION' } as const;

/** Begins with what is sent next. */
export function beginWithNext(session: MigrationSession): void {
  session.defer({ text: BEGIN[session.dialect], begins: true });
}

export async function begin(session: MigrationSession): Promise<void> {
  await session.query(BEGIN[session.dialect]);
}

const ROLLBACK_TRIES = 3;

/** What a rollback achieved. */
export type RolledBack = 'all' | 'not all' | 'ended before';

/**
 * Rolls back. `ended before`: no transaction was open any more, so something had committed. `not all`: tables of an
 * engine without transactions keep what was written (MySQL's warning 1196). A lost connection is rolled back by the
 * server. Never rejects.
 */
export async function rollBack(session: MigrationSession): Promise<RolledBack> {
  if (session.lost) return 'all';
  if (!session.inTransaction) return 'ended before';
  for (let tries = 0; tries < ROLLBACK_TRIES && session.inTransaction; tries++) {
    try {
      const warnings = await runOwn(session, ['ROLLBACK']);
      return warnings.some(({ code }) => code === '1196') ? 'not all' : 'all';
    } catch {
      // A request to cancel what ran before it may have come late.
    }
  }
  return 'all';
}

/** Runs `work` in a transaction of its own. */
export async function inTransaction<T>(session: MigrationSession, work: () => Promise<T>): Promise<T> {
  await begin(session);
  try {
    const result = await work();
    await session.query('COMMIT');
    return result;
  } catch (error) {
    await rollBack(session);
    throw error;
  }
}

/** The message of what went wrong, and whether the session survived it. */
export function tellFailure(session: MigrationSession, error: unknown): string {
  return session.lost ? `the connection was lost (${messageOf(error)})` : messageOf(error);
}
