import { TransactionControlError } from '../connection/index.js';
import type { RollbackReason, ScopeOwner } from './scope.js';

/** A cursor or stream that nobody read on had to be cut off. */
export class LeftOpenError extends Error {
  constructor() {
    super('a cursor, a stream or COPY was still open when its method ended; read it to its end or close it');
  }
}

/**
 * Why a transaction in which nothing can run any more is rolled back, and what to do about it. `threw`: its method
 * had thrown, so that no error was swallowed.
 */
export function whyBroken(
  { broken, connection }: Pick<ScopeOwner, 'broken' | 'connection'>,
  threw: boolean,
): string {
  if (broken instanceof LeftOpenError)
    return 'a cursor, a stream or COPY was still open when its method ended. Read it to its end, or close it, before the method ends';
  const swallowed = threw ? ', see the cause' : ', and the error was swallowed (see the cause)';
  if (connection?.lost)
    return `its connection was lost${swallowed}. ${threw ? 'Run' : 'Let the error through, and run'} the method again`;
  if (broken instanceof TransactionControlError)
    return `a statement had ended its transaction on the server${swallowed}. Send no COMMIT or ROLLBACK inside other statements`;
  const next = threw ? '' : '. Let the error through';
  if (!connection) return `it got no connection${swallowed}${next}`;
  if (connection.status() === 'idle')
    return `the server had no transaction open after a statement had failed${swallowed}${next}`;
  return `it could not go on${swallowed}${next}`;
}

/** Why what a method inside had marked is rolled back, and what to do about it. */
export function whyMarked({ by, cause, why }: RollbackReason, threw: boolean): string {
  if (why) return why;
  const marked = `"${by}" had marked it for rollback`;
  if (cause === undefined)
    return `${marked} with setRollbackOnly(). Let that method throw, so that its caller knows, or run it with propagation NESTED`;
  return threw
    ? `${marked}. Give that method the same commitOn, or run it with propagation NESTED`
    : `${marked}, and its error was swallowed. Let the error through, or run that method with propagation NESTED`;
}

/** Why a transaction with a failed statement is rolled back, and what to do about it. */
export function whyFailed(threw: boolean): string {
  return threw
    ? 'a statement in it had failed, after which the server keeps nothing. Run what may fail with propagation NESTED'
    : 'a statement in it had failed, and the error was swallowed. Let the error through, or run what may fail with propagation NESTED';
}
