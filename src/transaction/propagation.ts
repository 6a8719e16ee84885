/** What a transactional method does about a transaction that is there already, in Spring's and EJB's terms. */
export const PROPAGATIONS = [
  /** Joins a transaction, or begins one. The default. */
  'REQUIRED',
  /** Begins an independent transaction on a connection of its own; the outer one waits. */
  'REQUIRES_NEW',
  /** A savepoint inside a transaction, or begins one. */
  'NESTED',
  /** Joins a transaction; without one, refuses. */
  'MANDATORY',
  /** Joins a transaction; without one, runs without. */
  'SUPPORTS',
  /** Runs outside any transaction. */
  'NOT_SUPPORTED',
  /** Refuses to run inside a transaction. */
  'NEVER',
] as const;

/**
 * What a transactional method does about a transaction that is there already: `REQUIRED` joins it or begins one,
 * `REQUIRES_NEW` begins an independent one on a connection of its own, `NESTED` opens a savepoint in it or begins one,
 * `MANDATORY` joins it or refuses, `SUPPORTS` joins it or runs without, `NOT_SUPPORTED` runs outside it, `NEVER`
 * refuses to run inside it. Default: `REQUIRED`.
 */
export type Propagation = (typeof PROPAGATIONS)[number];

/** What surrounds a call: nothing, a transaction, or one that has ended while the call was still on its way. */
export type Surrounding = 'none' | 'active' | 'closed';

/** What is to be done. `plain` runs the work as it is; `outside` hides the surrounding transaction from it. */
export type PropagationAction = 'begin' | 'join' | 'nest' | 'plain' | 'outside' | 'refuse' | 'refuse closed';

const TABLE: Readonly<Record<Propagation, Readonly<Record<Surrounding, PropagationAction>>>> = {
  REQUIRED: { none: 'begin', active: 'join', closed: 'refuse closed' },
  REQUIRES_NEW: { none: 'begin', active: 'begin', closed: 'begin' },
  NESTED: { none: 'begin', active: 'nest', closed: 'refuse closed' },
  MANDATORY: { none: 'refuse', active: 'join', closed: 'refuse closed' },
  SUPPORTS: { none: 'plain', active: 'join', closed: 'refuse closed' },
  NOT_SUPPORTED: { none: 'plain', active: 'outside', closed: 'outside' },
  NEVER: { none: 'plain', active: 'refuse', closed: 'outside' },
};

/** The whole decision: a table of mode and surrounding. */
export function decide(propagation: Propagation, surrounding: Surrounding): PropagationAction {
  return TABLE[propagation][surrounding];
}
