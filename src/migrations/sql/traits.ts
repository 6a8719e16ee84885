import type { SqlStatement, CopyStatement } from './statement.js';

/** What a statement creates, changes or drops, where its first words say. Names are as the server folds them. */
export interface StatementTarget {
  readonly kind:
    | 'table'
    | 'index'
    | 'view'
    | 'materialized view'
    | 'sequence'
    | 'type'
    | 'function'
    | 'procedure'
    | 'trigger'
    | 'event'
    | 'schema'
    | 'database'
    | 'other';
  readonly schema?: string | undefined;
  readonly name: string;
  /** The table of an index or a trigger. */
  readonly table?: string | undefined;
}

/** What the runner has to know of a statement before it is sent. */
export interface StatementTraits {
  /** The leading keywords in upper case, for messages and rules: `CREATE INDEX CONCURRENTLY`, `INSERT`. */
  readonly command: string;
  /** PostgreSQL: it cannot run in a transaction block. MySQL: it commits implicitly. Such a statement runs by itself, under the journal. */
  readonly standsAlone: boolean;
  /** BEGIN, COMMIT, ROLLBACK, SET autocommit …: it would end or begin the transaction of the migration. */
  readonly controlsTransaction: boolean;
  /** It may commit in its middle, unseen, and what came before it with it: CALL, EXECUTE and blocks of MySQL. */
  readonly mayCommit?: boolean;
  /** It changes how what follows is read or run (`SET …`): what follows is sent after its answer. */
  readonly changesSession: boolean;
  /** It is not sent, for nothing in a migration needs it: LOCK TABLES of a dump. */
  readonly isLeftOut?: boolean;
  /** What it switches autocommit to, where it does nothing else but to keep what it was in `@OLD_AUTOCOMMIT`. */
  readonly autocommit?: { readonly to: 'on' | 'off' | 'kept'; readonly keeps: boolean } | undefined;
  /** It holds WITH RECURSIVE. */
  readonly isRecursive: boolean;
  readonly targets: readonly StatementTarget[];
}

/** Reads the traits of a statement by the server's version (see `ServerFacts.versionNumber`). Pure. */
export type ReadTraits = (statement: SqlStatement | CopyStatement, versionNumber: number) => StatementTraits;
