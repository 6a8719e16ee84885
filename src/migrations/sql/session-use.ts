import type { Statement } from './statement.js';
import type { StatementTraits } from './traits.js';

/** What lives in a session and ends with it. */
export interface SessionThing {
  readonly kind: 'variable' | 'temporary table' | 'prepared statement' | 'last id';
  /** As the server compares it: `@mx`, `picked`. */
  readonly name: string;
}

/** A thing that a statement leaves in the session. */
export interface LeftThing extends SessionThing {
  /** Whether the same statement would give something else later: it reads tables, a clock, a random number. */
  readonly isFromData: boolean;
  /** The things that its value is made of. */
  readonly reads: readonly string[];
}

/** What a statement has to do with what earlier ones left in the session. */
export interface SessionUse {
  readonly leaves: readonly LeftThing[];
  /** Names that it reads, as the server compares them; more than it does where that cannot be told. */
  readonly reads: ReadonlySet<string>;
  /** Names of what it ends. */
  readonly ends: readonly string[];
  /** Whether it changes a setting of the session, which is to be made again in another one. */
  readonly isSetting: boolean;
}

/** Reads what a statement has to do with its session. Pure. */
export type ReadSessionUse = (statement: Statement, traits: StatementTraits) => SessionUse;

/** The names of the temporary tables that a statement creates. */
export function temporaryOf({ command, targets }: StatementTraits): readonly string[] {
  return command.startsWith('CREATE TEMPORARY ') ? targets.map(({ name }) => name.toLowerCase()) : [];
}
