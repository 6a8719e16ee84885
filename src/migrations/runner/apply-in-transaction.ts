import { delay, messageOf } from '../../core/index.js';
import { databaseCodeOf } from '../database/explain-error.js';
import type { MigrationSession } from '../database/session.js';
import type { Statement } from '../sql/statement.js';
import { whenIdle } from './backend.js';
import { placeIn } from './place.js';
import { problemOf } from './problem-of.js';
import { BEGIN_ANEW, ScriptFailure, ScriptProblem } from './script-problem.js';
import type { ScriptRun } from './script-run.js';
import { StatementSender } from './statement-sender.js';
import { beginWithNext, rollBack } from './transaction.js';
import { verify } from './verify.js';

/** How long the server may stay away, and then take to end a transaction whose client is gone, before its outcome is called unknown. */
const SETTLE_LIMIT_MS = 30_000;
const REOPEN_EVERY_MS = 500;
/** PostgreSQL's `query_canceled`, ER_QUERY_INTERRUPTED of MySQL. */
const CANCELLED: ReadonlySet<string | undefined> = new Set(['57014', '1317']);

/** The statements, and the row of the history, in one transaction. */
export async function applyInTransaction(run: ScriptRun): Promise<number> {
  const { session, settings, script, profile } = run;
  const sender = new StatementSender(senderOptions(run));
  const begun = new Date();
  let isCommitting = false;
  try {
    await run.announce('with what is next');
    beginWithNext(session);
    await applySettings(run);
    await verify(run, 'before');
    for await (const group of script.groups())
      for (const { statement, traits } of group) {
        if (traits.controlsTransaction) throw controlProblem(statement, traits.command);
        const sending = sender.push(statement, traits);
        if (sending === undefined) continue;
        await sending;
        requireTransaction(session, statement);
      }
    if (sender.hasMore && canCommitBehind(run)) {
      isCommitting = true;
      await sender.flush(async () => {
        await settings.restore(session, 'with what is next');
        // COMMIT can take long, too, and RESET ALL has taken the name away.
        await run.announce('with what is next');
        await run.finish('by the server');
        session.defer({ text: 'COMMIT' });
      });
      return sender.sent;
    }
    const last = await sender.flush();
    if (last.length > 0) requireTransaction(session, undefined);
    await verify(run, 'after');
    await settings.restore(session, 'with what is next');
    await run.finish();
    isCommitting = true;
    await session.query('COMMIT');
    return sender.sent;
  } catch (error) {
    const problem = problemOf(session, cancelledBy(run, error));
    if (isCommitting && session.lost && !wasEnded(error)) {
      await settleCommit(run, begun, problem);
      return profile.statements;
    }
    // A COMMIT that the server refused has rolled back: a deferred constraint, a conflict between nodes.
    const isOver = isCommitting && !session.inTransaction;
    const rolledBack = isOver ? 'all' : await rollBack(session);
    if (!session.lost) await settings.restore(session).catch(() => undefined);
    throw rolledBack === 'all'
      ? new ScriptFailure(problem, { effect: 'rolled back', left: leftNothing(session) })
      : new ScriptFailure(problem, {
          effect: 'partial',
          next: BEGIN_ANEW,
          left:
            rolledBack === 'not all'
              ? 'It was rolled back, but tables of an engine without transactions (MyISAM, Aria) keep what was written to them.'
              : `A statement before that one had committed the transaction: what came before it in ${profile.script} stays.`,
        });
  }
}

/** Whether the row of the history and COMMIT can travel behind the last statements: a small file is one round trip then. */
function canCommitBehind({ session, profile, canFinishBehind }: ScriptRun): boolean {
  return session.runWith !== undefined && canFinishBehind && profile.directives.verifyAfter.length === 0;
}

export function senderOptions(run: ScriptRun): ConstructorParameters<typeof StatementSender>[0] {
  const { session, signals, emit, profile, options } = run;
  return {
    session,
    signals,
    emit,
    script: profile.script,
    totalBytes: profile.bytes,
    allowWarnings: options.allowWarnings,
  };
}

/** Sets what the directives of the script or the options ask for. */
export async function applySettings({ settings, session, options, profile, emit }: ScriptRun): Promise<void> {
  const notes = await settings.apply(session, {
    lockTimeoutMs: profile.directives.lockTimeoutMs ?? options.lockTimeoutMs,
    statementTimeoutMs: profile.directives.statementTimeoutMs ?? options.statementTimeoutMs,
    isRecursive: profile.isRecursive,
    changesSession: profile.changesSession,
  });
  for (const message of notes) emit({ kind: 'note', script: profile.script, message });
}

export function controlProblem(statement: Statement, command: string): ScriptProblem {
  return new ScriptProblem(`${command} would end or begin the transaction that the migration runs in`, {
    place: placeIn(statement),
    next: 'Take it out: the whole file is one transaction already. Where it has to control its transactions itself, put the line `-- no-transaction` at its head.',
  });
}

/** MySQL says in every answer whether a transaction is open: a procedure that commits is found out at once. */
function requireTransaction(session: MigrationSession, statement: Statement | undefined): void {
  if (session.inTransaction || session.lost) return;
  throw new ScriptProblem('a statement committed the transaction that the migration ran in', {
    place: statement && placeIn(statement),
    next: 'A procedure or a trigger that commits can be called in a file with the line `-- no-transaction` at its head.',
  });
}

/**
 * Whether PostgreSQL said that an administrator or a shutdown ends the session (`admin_shutdown`): it says so in place of
 * the answer to COMMIT only where nothing was committed.
 */
function wasEnded(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause)
    if (databaseCodeOf(each) === '57P01') return true;
  return false;
}

function leftNothing(session: MigrationSession): string {
  return session.lost
    ? 'The server rolls back what a lost connection had not committed: the database is as before it.'
    : 'It was rolled back: the database is as before it.';
}

/** A COMMIT that was cancelled with the run says so in the words of a timeout. */
function cancelledBy({ signals }: ScriptRun, error: unknown): unknown {
  if (!CANCELLED.has(databaseCodeOf(error))) return error;
  try {
    signals.checkCancelled(error);
    return error;
  } catch (interrupted) {
    return interrupted;
  }
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

/** The answer of COMMIT was lost: whether the row of the history is there settles it, once the old session is done. */
async function settleCommit(run: ScriptRun, begun: Date, problem: ScriptProblem): Promise<void> {
  const { script } = run.profile;
  let isDone: boolean | undefined;
  try {
    const other = await openAgain(run);
    try {
      const backend = { backendId: run.session.backendId, at: begun };
      const isIdle = await whenIdle(other, backend, { signals: run.signals, limitMs: SETTLE_LIMIT_MS });
      if (!isIdle) throw new Error('The session of the lost connection did not end.');
      isDone = await run.isFinished(other);
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
      { effect: 'unknown', left: 'Either all of it is applied, with its row in the history, or nothing.' },
    );
  }
  if (isDone === undefined)
    throw new ScriptFailure(problem, {
      effect: 'unknown',
      left: 'Either all of it has taken effect, or nothing.',
    });
  if (!isDone) throw new ScriptFailure(problem, { effect: 'rolled back', left: leftNothing(run.session) });
  run.emit({
    kind: 'note',
    script,
    message:
      'The connection was lost before the answer to COMMIT. A new one found its row in the history: it is applied.',
  });
}
