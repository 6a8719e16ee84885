import type { FailureEffect } from '../errors.js';
import type { ServerWarning } from '../database/session.js';
import type { SourcePosition } from '../sql/statement.js';

/** Where a script went wrong. */
export interface ProblemPlace {
  readonly position: SourcePosition;
  /** The statement. */
  readonly text: string;
}

/** Which of the public errors a problem becomes. */
export type ProblemKind = 'failed' | 'warning' | 'verify' | 'interrupted' | 'lock lost';

export interface ProblemDetails {
  readonly kind?: ProblemKind;
  readonly place?: ProblemPlace | undefined;
  readonly warnings?: readonly ServerWarning[];
  /** What to do, where it is not to correct the file and run `up` again. */
  readonly next?: string | undefined;
  readonly cause?: unknown;
  /** Whether the connection was lost before the server's answer. */
  readonly isLost?: boolean;
  /** Whether every later run stops at it, too, until somebody settles it. */
  readonly staysInTheWay?: boolean;
}

/**
 * Thrown within the runner when a script cannot go on. It knows what happened and where; what is left in the database
 * is added by whoever ran it ({@link ScriptFailure}), and the run's own story by `describeFailure()`.
 */
export class ScriptProblem extends Error {
  readonly kind: ProblemKind;
  readonly place: ProblemPlace | undefined;
  readonly warnings: readonly ServerWarning[];
  readonly next: string | undefined;
  readonly isLost: boolean;
  readonly staysInTheWay: boolean;

  constructor(message: string, details: ProblemDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = details.kind ?? 'failed';
    this.place = details.place;
    this.warnings = details.warnings ?? [];
    this.next = details.next;
    this.isLost = details.isLost ?? false;
    this.staysInTheWay = details.staysInTheWay ?? false;
  }
}

/** What to do about a script that left something behind and cannot go on from there. */
export const BEGIN_ANEW =
  'Take back by hand what it had done, correct it, run `repair`, then `up`: it begins anew.';

/** A {@link ScriptProblem}, and what it left in the database. */
export class ScriptFailure extends Error {
  readonly problem: ScriptProblem;
  readonly effect: FailureEffect;
  /** What is left, in a sentence. */
  readonly left: string;
  /** What to do, where what is left decides it. */
  readonly next: string | undefined;

  constructor(
    problem: ScriptProblem,
    { effect, left, next }: { effect: FailureEffect; left: string; next?: string },
  ) {
    super(problem.message, { cause: problem });
    this.problem = problem;
    this.effect = effect;
    this.left = left;
    this.next = next;
  }
}
