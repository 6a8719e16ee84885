import type { MigrationSession } from '../database/session.js';
import type { SplitScript, Statement } from '../sql/statement.js';
import type { ReadTraits, StatementTraits } from '../sql/traits.js';

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
  /** Held against the fingerprint, once nobody runs it any more. */
  landed(
    session: MigrationSession,
    sent: SentStatement & { readonly fingerprint: string | undefined },
  ): Promise<Landed>;
  /** Whether it may leave something behind where it fails. */
  leavesTraces(traits: StatementTraits): boolean;
  removeTraces(session: MigrationSession, traits: StatementTraits): Promise<void>;
}

/** What the runner has to know of a database's SQL. */
export interface Language {
  readonly split: SplitScript;
  readonly readTraits: ReadTraits;
  readonly landed: LandedCheck;
  /** What a statement would be, for a dry run on a database that cannot take DDL back. */
  readonly judge: (session: MigrationSession, sent: SentStatement) => Promise<string>;
}
import { splitMysql } from '../sql/mysql-splitter.js';
import { postgresLanded } from './postgres-landed.js';
import { tempTraits } from './temp-shim.js';
export function languageOf(session: MigrationSession): Language {
  return {
    split: splitMysql,
    readTraits: tempTraits(session.dialect),
    landed: postgresLanded,
    judge: () => Promise.resolve('?'),
  };
}
