import type { MigrationSession } from '../database/session.js';
import { LockLostError } from '../errors.js';
import { RankTakenError } from '../history/ranked-history.js';
import { canBeAhead } from '../history/rows-ahead.js';
import type { AskedOfServer } from '../sql/landed.js';
import type { SqlStatement } from '../sql/statement.js';
import { isSmallAndPlain } from './apply-in-transaction.js';
import { JournaledScript } from './apply-journaled.js';
import { journaledFailure, NOTHING_LEFT } from './journaled-failure.js';
import { problemOf } from './problem-of.js';
import type { ScriptStatement } from './script.js';
import type { ScriptFailure, ScriptProblem } from './script-problem.js';
import type { ScriptRun } from './script-run.js';
import { SentTogether } from './sent-together.js';
import { settleCommit } from './settle-commit.js';
import { entryOfOne } from './statement-hash.js';
import { beginWithNext, rollBack } from './transaction.js';
import { commitsFirst, writeStarted } from './write-started.js';

/** A statement that commits by itself, and how the server is asked, in front of it, about its target. */
interface Alone extends ScriptStatement {
  readonly statement: SqlStatement;
  readonly fingerprint: AskedOfServer;
}

/** What a small script is made of: statements that commit by themselves, and behind them those of one transaction. */
export interface TogetherPlan {
  readonly alone: readonly Alone[];
  readonly inTransaction: readonly SqlStatement[];
}

/**
 * How a script can be sent in one packet, with its rows of the journal, that of the history and COMMIT: one that creates
 * tables, and then fills them. Undefined where the server is to be asked something before, or an answer to be looked at on the
 * way.
 */
export function planTogether(run: ScriptRun): TogetherPlan | undefined {
  const { session, script, profile, journal, unprotected, canFinishBehind } = run;
  const { noTransaction, verifyAfter } = profile.directives;
  const isPlain =
    canFinishBehind &&
    isSmallAndPlain(run) &&
    !profile.isRecursive &&
    !noTransaction &&
    verifyAfter.length === 0;
  if (!isPlain || session.takesTogether === undefined || journal?.isNewTo(profile.script) !== true)
    return undefined;
  const alone: Alone[] = [];
  const inTransaction: SqlStatement[] = [];
  for (const { statement, traits } of script.kept ?? []) {
    if (statement.kind === 'copy' || traits.controlsTransaction) return undefined;
    if (!traits.standsAlone) {
      inTransaction.push(statement);
      continue;
    }
    const fingerprint = script.language.landed.askedWithIt?.({ statement, traits });
    if (fingerprint === undefined || inTransaction.length > 0 || !commitsFirst(session, traits))
      return undefined;
    alone.push({ statement, traits, fingerprint });
  }
  if (alone.length === 0) return undefined;
  const created = alone.map(({ statement }) => statement);
  const isSafe = inTransaction.length === 0 || unprotected.areSurelyNone([...created, ...inTransaction]);
  return isSafe && session.takesTogether({ alone: created, inTransaction })
    ? { alone, inTransaction }
    : undefined;
}

/**
 * Applies a script in one packet. Where the server stops in it, what it has come to is known, and the script goes on from
 * there step by step. Resolves to how many statements there were; throws `ScriptFailure`, or `NotRunError` for one that was
 * sent ahead.
 */
export async function applyTogether(run: ScriptRun, plan: TogetherPlan): Promise<number> {
  const { session, signals, turn, onSent, journal, profile } = run;
  const begun = new Date();
  let next: string | undefined;
  try {
    next = await defer(run, plan);
  } catch (error) {
    await turn;
    throw journaledFailure(problemOf(session, error), NOTHING_LEFT);
  }
  const sending = session.sendTogether!({ isAhead: turn !== undefined, onSent });
  if (turn !== undefined) await Promise.race([turn, sending]).catch(() => undefined);
  const answer = await signals.ending(sending, session);
  await turn;
  const { stop, outcomes } = answer;
  const count = plan.alone.length + plan.inTransaction.length;
  journal?.ahead.settle(next, stop === undefined);
  if (stop === undefined) {
    journal?.ahead.begin(profile.script);
    return count;
  }
  if (session.lost) {
    const problem = problemOf(session, session.lost);
    await settleCommit(run, {
      begun,
      problem,
      leftBehind: (other) => leftInJournal(run, { problem, plan, other }),
      inDoubt: 'It may be applied, in part or in whole.',
    });
    return count;
  }
  // Behind a statement of the script, and where only the history's row was refused, its transaction goes on: to roll it back and
  // run it once more would give other numbers, and twice what keeps what is written to it.
  const goesOn = stop.statement !== undefined || stop.error instanceof RankTakenError;
  if (session.inTransaction && !goesOn) await rollBack(session);
  const committed = new Map(
    [...outcomes].filter(([of]) => plan.alone.some(({ statement }) => statement === of)),
  );
  if (stop.error instanceof LockLostError) {
    // The rows are those of whoever has the lock now.
    const kept = Math.max(0, ...[...committed.keys()].map(({ index }) => index));
    throw journaledFailure(problemOf(session, stop.error), { ...NOTHING_LEFT, kept });
  }
  const sent = new SentTogether(goesOn ? answer : { outcomes: committed });
  if (!sent.has(plan.alone[0]!.statement)) await journal?.ahead.withdraw(session, profile.script);
  journal?.ahead.begin(profile.script);
  return new JournaledScript(run, sent).apply();
}

/** Everything that is to be in the packet. Resolves to the script whose first row of the journal is in it. */
async function defer(run: ScriptRun, { alone, inTransaction }: TogetherPlan): Promise<string | undefined> {
  const { session, journal, profile, following } = run;
  let isAnnounced = false;
  const announce = async (): Promise<void> => {
    if (!isAnnounced) await run.announceStarted('with what is next');
    isAnnounced = true;
  };
  for (const each of alone) {
    const isWritten = each === alone[0] && journal?.ahead.has(profile.script) === true;
    if (isWritten) await run.assertHeld('with what is next');
    else await writeStarted(run, { ...each, announce });
    run.unprotected.pass(each.statement, each.traits);
    session.defer({ text: each.statement.text, statement: each.statement });
  }
  beginWithNext(session);
  for (const statement of inTransaction) session.defer({ text: statement.text, statement });
  await run.finish('by the server');
  await journal?.clear(session, profile.script, 'with what is next');
  const next = following?.();
  const first = next && planTogether(next)?.alone[0];
  const creates = first?.traits.targets[0];
  if (first && creates && canBeAhead(creates))
    await journal?.ahead.write(session, next.profile.script, {
      ...entryOfOne(first.statement),
      fingerprint: first.fingerprint,
      creates,
    });
  session.defer({ text: 'COMMIT', commits: true });
  return first && next.profile.script;
}

interface Lost {
  readonly problem: ScriptProblem;
  readonly plan: TogetherPlan;
  readonly other: MigrationSession;
}

/** What a packet left whose connection was lost: a row is written before each statement that commits by itself. */
async function leftInJournal(
  { journal, profile, script }: ScriptRun,
  { problem, plan, other }: Lost,
): Promise<ScriptFailure> {
  const last = (await journal!.list(other, profile.script)).at(-1);
  const sent = plan.alone.find(({ statement }) => statement.index === last?.first);
  if (last === undefined || sent === undefined) return journaledFailure(problem, NOTHING_LEFT);
  const answer = await script.language.landed.landed(other, { ...sent, fingerprint: last.fingerprint });
  const unknown = answer === 'unknown' ? sent.statement : undefined;
  const kept = answer === 'landed' ? last.first : last.first - 1;
  return journaledFailure(problem, { ...NOTHING_LEFT, kept, unknown });
}
