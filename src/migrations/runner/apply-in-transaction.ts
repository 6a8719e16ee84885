import { databaseCodeOf } from '../database/explain-error.js';
import { type MigrationSession, NotRunError } from '../database/session.js';
import type { Statement } from '../sql/statement.js';
import { committedProblem, CommitWitness } from './commit-witness.js';
import { problemOf } from './problem-of.js';
import { BEGIN_ANEW, ScriptFailure } from './script-problem.js';
import type { ScriptRun } from './script-run.js';
import { leftNothing, settleCommit, wasEnded } from './settle-commit.js';
import { StatementSender } from './statement-sender.js';
import { beginWithNext, rollBack } from './transaction.js';
import { verify } from './verify.js';

/** PostgreSQL's `query_canceled`, ER_QUERY_INTERRUPTED of MySQL. */
const CANCELLED: ReadonlySet<string | undefined> = new Set(['57014', '1317']);

/** The statements, and the row of the history, in one transaction. */
export async function applyInTransaction(run: ScriptRun): Promise<number> {
  const { session, settings, script, profile } = run;
  const sender = new StatementSender({ ...senderOptions(run), inOneTransaction: true });
  const begun = new Date();
  let isCommitting = false;
  const witness = new CommitWitness(session, sender);
  try {
    await run.announce('with what is next');
    beginWithNext(session);
    await applySettings(run);
    await verify(run, 'before');
    for await (const group of script.groups())
      for (const each of group) {
        const { statement, traits } = each;
        if (traits.mayCommit) {
          await witness.send(each);
          if (witness.hasCommitted) throw committedProblem(statement);
          continue;
        }
        const sending = sender.push(statement, traits);
        if (sending === undefined) continue;
        await sending;
        requireTransaction(session, statement);
      }
    if (sender.hasMore && canCommitBehind(run)) {
      isCommitting = true;
      const defer = async (): Promise<void> => {
        await settings.restore(session, 'with what is next');
        // COMMIT can take long, too, and RESET ALL has taken the name away.
        await run.announce('with what is next');
        await run.finish('by the server');
        session.defer({ text: 'COMMIT', commits: true });
      };
      await sender.flush({ defer, onSent: run.onSent });
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
    if (error instanceof NotRunError) throw error;
    await run.turn;
    const problem = problemOf(session, cancelledBy(run, error));
    if (isCommitting && session.lost && !wasEnded(error)) {
      await settleCommit(run, {
        begun,
        problem,
        leftBehind: () => new ScriptFailure(problem, { effect: 'rolled back', left: leftNothing(session) }),
        inDoubt: 'Either all of it is applied, with its row in the history, or nothing.',
      });
      return profile.statements;
    }
    // A COMMIT that the server refused has rolled back: a deferred constraint, a conflict between nodes.
    const isOver = isCommitting && !session.inTransaction;
    const undone = isOver ? 'all' : await rollBack(session);
    const rolledBack = witness.hasCommitted ? 'ended before' : undone;
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

/** More is sent in several packets. */
const ONE_PACKET = { statements: 100, bytes: 64 * 1024 };

/** Whether it is sent as one packet, from BEGIN to COMMIT, with nothing to be asked or set before. */
export function isOnePacket(run: ScriptRun): boolean {
  return canCommitBehind(run) && run.profile.isTransactional && isSmallAndPlain(run);
}

/** Whether it is small, and nothing is to be asked or set before it. */
export function isSmallAndPlain({ profile, options, script }: ScriptRun): boolean {
  const { verifyBefore, lockTimeoutMs, statementTimeoutMs } = profile.directives;
  return (
    // SET TRANSACTION has to come before any question.
    !profile.changesSession &&
    verifyBefore.length === 0 &&
    (lockTimeoutMs ?? options.lockTimeoutMs) === undefined &&
    (statementTimeoutMs ?? options.statementTimeoutMs) === undefined &&
    profile.bytes <= ONE_PACKET.bytes &&
    profile.statements > 0 &&
    profile.statements <= ONE_PACKET.statements &&
    script.kept?.every(({ traits }) => !traits.mayCommit) === true
  );
}

/** Whether the row of the history and COMMIT can travel behind the last statements: a small file is one round trip then. */
function canCommitBehind({ session, profile, canFinishBehind }: ScriptRun): boolean {
  return session.runWith !== undefined && canFinishBehind && profile.directives.verifyAfter.length === 0;
}

export function senderOptions(run: ScriptRun): ConstructorParameters<typeof StatementSender>[0] {
  const { session, signals, emit, profile, options, turn } = run;
  return {
    session,
    turn,
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

/** For what commits on MySQL and is on no list of ours: every answer says whether a transaction is open. */
function requireTransaction(session: MigrationSession, statement: Statement | undefined): void {
  if (!session.inTransaction && !session.lost) throw committedProblem(statement);
}

/** A COMMIT that was cancelled with the run says so in the words of a timeout. */
function cancelledBy({ signals }: ScriptRun, error: unknown): unknown {
  return (CANCELLED.has(databaseCodeOf(error)) && signals.cancelled(error)) || error;
}
