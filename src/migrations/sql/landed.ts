import type { MigrationSession } from '../database/session.js';
import type { Statement } from './statement.js';
import type { StatementTraits } from './traits.js';

export interface SentStatement {
  readonly statement: Statement;
  readonly traits: StatementTraits;
}

/** Whether a statement whose answer never came took effect. */
export type Landed = 'landed' | 'not landed' | 'unknown';

/** A question that the server answers while it writes the answer down: an expression of SQL, and the values of its parameters. */
export interface AskedOfServer {
  readonly sql: string;
  readonly values: readonly unknown[];
}

/** The fingerprint of a CREATE TABLE that finds its table there. */
export const THERE = 'definition there';

/** What the catalogue says before a statement is sent. */
export type Fingerprint = string | AskedOfServer;

/** Asks the server's catalogue about a statement that commits by itself. */
export interface LandedCheck<Asked extends Fingerprint = Fingerprint> {
  /** What the catalogue says before the statement is sent, or how it is asked; undefined where it could not tell afterwards. */
  fingerprint(session: MigrationSession, sent: SentStatement): Promise<Asked | undefined>;
  /**
   * The fingerprint of a statement that commits all that it does, where {@link fingerprint} asks the server nothing before it is
   * sent.
   */
  askedWithIt?(sent: SentStatement): AskedOfServer | undefined;
  /** Held against the fingerprint, once nobody runs the statement any more. `not landed` also means that it may be sent again. */
  landed(
    session: MigrationSession,
    sent: SentStatement & { readonly fingerprint: string | undefined },
  ): Promise<Landed>;
  /** Whether it may leave something behind where it fails. */
  leavesTraces(traits: StatementTraits): boolean;
  removeTraces(session: MigrationSession, traits: StatementTraits): Promise<void>;
}
