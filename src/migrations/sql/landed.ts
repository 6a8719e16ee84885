import type { MigrationSession } from '../database/session.js';
import type { Statement } from './statement.js';
import type { StatementTraits } from './traits.js';

export interface SentStatement {
  readonly statement: Statement;
  readonly traits: StatementTraits;
}

/** Whether a statement whose answer never came took effect. */
export type Landed = 'landed' | 'not landed' | 'unknown';

/** Asks the server's catalogue about a statement that commits by itself. */
export interface LandedCheck {
  /** What the catalogue says before the statement is sent; undefined where it could not tell afterwards. */
  fingerprint(session: MigrationSession, sent: SentStatement): Promise<string | undefined>;
  /** Held against the fingerprint, once nobody runs the statement any more. `not landed` also means that it may be sent again. */
  landed(
    session: MigrationSession,
    sent: SentStatement & { readonly fingerprint: string | undefined },
  ): Promise<Landed>;
  /** Whether it may leave something behind where it fails. */
  leavesTraces(traits: StatementTraits): boolean;
  removeTraces(session: MigrationSession, traits: StatementTraits): Promise<void>;
}
