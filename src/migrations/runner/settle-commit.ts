import { delay, messageOf } from '../../core/index.js';
import { databaseCodeOf } from '../database/explain-error.js';
import type { MigrationSession } from '../database/session.js';
import { whenIdle } from './backend.js';
import { ScriptFailure, ScriptProblem } from './script-problem.js';
import type { ScriptRun } from './script-run.js';

/** How long the server may stay away, and then take to end a transaction whose client is gone, before its outcome is called unknown. */
const SETTLE_LIMIT_MS = 30_000;
const REOPEN_EVERY_MS = 500;

/**
 * Whether PostgreSQL said that an administrator or a shutdown ends the session (`admin_shutdown`): it says so in place of
 * the answer to COMMIT only where nothing was committed.
 */
export function wasEnded(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause)
    if (databaseCodeOf(each) === '57P01') return true;
  return false;
}

/** What a transaction that was rolled back leaves. */
export function leftNothing(session: MigrationSession): string {
  return session.lost
    ? 'The server rolls back what a lost connection had not committed: the database is as before it.'
    : 'It was rolled back: the database is as before it.';
}

/** A script whose COMMIT was sent, and the connection lost before its answer. */
export interface LostCommit {
  readonly begun: Date;
  readonly problem: ScriptProblem;
  /** What is left where it is not applied, asked over another session. */
  readonly leftBehind: (other: MigrationSession) => ScriptFailure | Promise<ScriptFailure>;
  /** What may be left, in a sentence, where the server cannot be asked. */
  readonly inDoubt: string;
}

/**
 * The answer of COMMIT was lost: whether the row of the history is there settles it, once the old session is done. Throws
 * `ScriptFailure` unless it is.
 */
export async function settleCommit(
  run: ScriptRun,
  { begun, problem, leftBehind, inDoubt }: LostCommit,
): Promise<void> {
  const { script } = run.profile;
  let isDone: boolean | undefined;
  let failure: ScriptFailure | undefined;
  try {
    const other = await openAgain(run);
    try {
      const backend = { backendId: run.session.backendId, at: begun };
      const isIdle = await whenIdle(other, backend, { signals: run.signals, limitMs: SETTLE_LIMIT_MS });
      // What is still on its way to a session that lives would be run by it later.
      if (!isIdle || !(await run.endFormer(other)))
        throw new Error('The session of the lost connection did not end.');
      isDone = await run.isFinished(other);
      if (isDone === false) failure = await leftBehind(other);
    } finally {
      await other.end();
    }
  } catch (error) {
    throw new ScriptFailure(
      new ScriptProblem(
        `the connection was lost before the answer to COMMIT, and the server could not be asked (${messageOf(error)})`,
        {
          isLost: true,
          cause: problem,
          next: '`status` says whether it is applied; `up` then goes on from there.',
        },
      ),
      { effect: 'unknown', left: inDoubt },
    );
  }
  if (isDone === undefined)
    throw new ScriptFailure(problem, {
      effect: 'unknown',
      left: 'Either all of it has taken effect, or nothing.',
    });
  if (failure) throw failure;
  run.emit({
    kind: 'note',
    script,
    message:
      'The connection was lost before the answer to COMMIT. A new one found its row in the history: it is applied.',
  });
}

/** A server that was killed, or a standby that takes over, is back in seconds: it is asked again until then. */
async function openAgain({
  database,
  options,
  signals,
  profile,
  emit,
}: ScriptRun): Promise<MigrationSession> {
  const { clock } = options;
  const begun = clock.now();
  for (let isTold = false; ; isTold = true) {
    try {
      return await database.open();
    } catch (error) {
      if (signals.isAborted || clock.now() - begun >= SETTLE_LIMIT_MS) throw error;
      if (!isTold) {
        const message = `The connection was lost, and the server cannot be asked yet whether it is applied (${messageOf(error)}): it is tried for ${SETTLE_LIMIT_MS / 1000} seconds.`;
        emit({ kind: 'note', script: profile.script, message });
      }
      await delay(clock, REOPEN_EVERY_MS);
    }
  }
}
