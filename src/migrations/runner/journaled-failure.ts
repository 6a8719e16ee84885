import type { Statement } from '../sql/statement.js';
import { halfDoneSentence, keptSentence, SETTLE_HALF_DONE, unknownSentence } from './left-sentences.js';
import { BEGIN_ANEW, ScriptFailure, type ScriptProblem } from './script-problem.js';

/** Where a journaled script stands when it cannot go on. */
export interface JournaledState {
  /** How many statements took effect for good: in this run, or before it. */
  readonly kept: number;
  /** Whether an earlier run left something of it. */
  readonly hasLeft: boolean;
  readonly staysInTheWay: boolean;
  /** The statement that was sent alone, where the connection went before its answer. */
  readonly unknown: Statement | undefined;
  /** The one that failed, and had written to what keeps it. */
  readonly halfDone: Statement | undefined;
  readonly isInSegment: boolean;
  /** Whether anything else than {@link kept} may be in the database. */
  readonly isUnclear: boolean;
  /** Whether the failed one left something behind, which the next run removes. */
  readonly hasTraces: boolean;
}

/** Where nothing of it took effect. */
export const NOTHING_LEFT: JournaledState = {
  kept: 0,
  hasLeft: false,
  staysInTheWay: false,
  unknown: undefined,
  halfDone: undefined,
  isInSegment: false,
  isUnclear: false,
  hasTraces: false,
};

/** What is left in the database, and what to do. */
export function journaledFailure(problem: ScriptProblem, state: JournaledState): ScriptFailure {
  const kept = keptSentence(state.kept, state);
  if (state.unknown)
    return new ScriptFailure(problem, {
      effect: 'unknown',
      left: `${kept}${unknownSentence(state.unknown)}`,
    });
  if (state.halfDone)
    return new ScriptFailure(problem, {
      effect: 'partial',
      left: `${kept}${halfDoneSentence(state.halfDone)}`,
      next: state.isInSegment ? BEGIN_ANEW : SETTLE_HALF_DONE,
    });
  if (state.kept === 0 && !state.hasLeft && !state.isUnclear && !state.hasTraces)
    return new ScriptFailure(problem, {
      effect: 'rolled back',
      left: 'Nothing of it took effect: the database is as before it.',
    });
  const traces = state.hasTraces
    ? 'The failed one may leave traces (an INVALID index), which the next `up` removes.'
    : '';
  return new ScriptFailure(problem, { effect: 'partial', left: `${kept}${traces}` });
}
