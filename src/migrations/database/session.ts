import type { SqlStatement, Statement } from '../sql/statement.js';
import type { UrlPlace } from './url-place.js';

/** The products that are told apart. */
export type Product = 'postgres' | 'mysql' | 'mariadb';

/** What the server is and can do. What differs between databases is asked of this, never of the product's name. */
export interface ServerFacts {
  readonly product: Product;
  /** As the server says it, for people: `18.4`, `10.11.11-MariaDB`. */
  readonly version: string;
  /** Major * 10000 + minor * 100 + patch: 180004, 101111, 80036. */
  readonly versionNumber: number;
  /** Whether DDL is undone by ROLLBACK. */
  readonly supportsTransactionalDdl: boolean;
  /** Whether this server is a Galera node, where GET_LOCK does not reach the other nodes. */
  readonly isGalera: boolean;
  /** Whether it only reads now: a standby, or `read_only`. */
  readonly isReadOnly: boolean;
}

/** A warning of MySQL or MariaDB, or a notice of PostgreSQL. */
export interface ServerWarning {
  /** MySQL's number as a string (`1292`; `0` for those that the server counted and did not keep), PostgreSQL's SQLSTATE. */
  readonly code: string;
  readonly level: 'note' | 'warning' | 'error';
  /** The server's text. It may hold values of the data. */
  readonly message: string;
}

/** What became of one statement. */
export interface StatementOutcome {
  /** Rows written or read, where the server says. */
  readonly rowCount: number | undefined;
  /** How many warnings the server has for it: MySQL's own count, which is more than it keeps. 0 on PostgreSQL. */
  readonly warningCount: number;
  /** Those that it kept, and one more that stands for the others; on MySQL asked for only when there are any. */
  readonly warnings: readonly ServerWarning[];
}

/** A statement of ours that has no round trip of its own. */
export interface DeferredStatement {
  readonly text: string;
  readonly values?: readonly unknown[];
  /** Whether it begins a transaction. */
  readonly begins?: boolean;
  /** Whether it commits one. */
  readonly commits?: boolean;
  /** What the error means that it fails with; `undefined` for one that may be of another statement. */
  readonly explain?: (error: Error) => Error | undefined;
  /** The statement of a migration that it is, in what is sent by {@link MigrationSession.sendTogether} alone. */
  readonly statement?: SqlStatement;
}

/** The error of what a deferred statement travelled in front of: its own, where one of them says so. */
export function explainDeferred(deferred: readonly DeferredStatement[], error: Error): Error {
  for (const { explain } of deferred) {
    const explained = explain?.(error);
    if (explained !== undefined) return explained;
  }
  return error;
}

/** Nothing of what was sent ahead was run: what it was sent behind was not committed, or the session does not know that it was. */
export class NotRunError extends Error {
  constructor() {
    super('Nothing of it was run: what was sent before it was not seen to commit.');
  }
}

/** What is with the server. */
export interface InFlight {
  /** Whether its answer, or an error of it, has come. */
  readonly isAnswered: boolean;
}

/** What travels behind statements of a migration. */
export interface Behind {
  /** Defers it. */
  readonly defer: () => Promise<void>;
  /** Told when all of it is with the server and the answer has yet to come. */
  readonly onSent?: ((packet: InFlight) => void) | undefined;
}

/** Statements of a migration that would be sent in one packet with all that is ours around them. */
export interface Together {
  /** Each commits by itself. */
  readonly alone: readonly SqlStatement[];
  /** In a transaction, behind those. */
  readonly inTransaction: readonly SqlStatement[];
}

/** The variable of the session that says when what was sent together began, by the clock of UTC_TIMESTAMP(6). */
export const PACKET_BEGAN = '@holdfast_began';

/** What became of what was sent together. */
export interface TogetherAnswer {
  /** Of the statements of the migration that took effect, unless the transaction around them is rolled back. */
  readonly outcomes: ReadonlyMap<Statement, StatementOutcome>;
  /** Where the server stopped; absent where it ran everything. */
  readonly stop?: {
    /** The statement of the migration; absent for one of ours. */
    readonly statement: Statement | undefined;
    /** What it failed with; absent where it took effect with warnings. */
    readonly error: Error | undefined;
  };
}

/** Whether a statement of ours is sent at once, or {@link MigrationSession.defer deferred}. */
export type WhenSent = 'now' | 'with what is next';

/** How statements of a migration are run. */
export interface RunHow {
  /** Whether nothing in them can end the transaction that they run in: what follows may be sent before the answer is there. */
  readonly inOneTransaction?: boolean;
}

/** One connection that is held for the whole run: locks and settings live on it. */
export interface MigrationSession {
  readonly server: ServerFacts;
  /** `postgres` | `mysql`, for what depends on the language. */
  readonly dialect: 'postgres' | 'mysql';
  /** Driver in use: `pg`, `mysql2`, `mariadb`. */
  readonly driver: string;
  /** The driver's own connection, for migrations in code. */
  readonly native: object;
  /** What its url wants in place of the server's search path, for whoever runs migrations to set; absent: nothing. */
  readonly searchPath?: string | undefined;
  /** `pg_backend_pid()` / `connection_id()`. */
  readonly backendId: number;
  /** Why nothing can be sent any more, once that is so. */
  readonly lost: Error | undefined;
  /** Whether the server is inside a transaction, by protocol status, or will be with what is sent next. */
  readonly inTransaction: boolean;

  /** One statement of ours. Parameters are written `$1`, `$2` … on PostgreSQL and `?` on MySQL: see {@link placeholder}. */
  query<Row extends object = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
  ): Promise<Row[]>;
  /**
   * Has a statement of ours travel in front of what is sent next, in the same packet where the driver allows. Should it
   * fail, what it travels with is not run, and fails with its error.
   */
  defer(statement: DeferredStatement): void;
  /** How the parameter of that number (from 1) is written. */
  placeholder(number: number): string;
  /** A quoted identifier. */
  quote(name: string): string;

  /**
   * Sends statements of a migration in as few round trips as the driver allows, in order, and stops at the first that
   * fails. The answers are in the same order. Throws {@link StatementFailedError} naming the statement, and how many
   * before it took effect as far as the server said.
   */
  run(statements: readonly Statement[], how?: RunHow): Promise<readonly StatementOutcome[]>;
  /**
   * {@link run}, and what `behind` defers travels behind the last of them: it is not run where one of them fails. Absent
   * where the warnings of a migration are read before anything is made of it.
   *
   * Between `onSent` and the answer it may be called for one packet more, a transaction from its beginning to its COMMIT. It
   * is sent at once, and the server runs nothing of it unless it has committed what it was sent behind: else it rejects with
   * {@link NotRunError}, in no transaction of its own.
   */
  runWith?(statements: readonly Statement[], behind: Behind): Promise<readonly StatementOutcome[]>;

  /** Whether {@link sendTogether} takes these: their warnings can be told, and they are few. Absent where there is none. */
  takesTogether?(statements: Together): boolean;
  /**
   * Sends what was deferred, statements of a migration among it, in one packet, in which the server stops at whatever fails,
   * and behind a statement of the migration that warns. Never rejects, but with {@link NotRunError}.
   *
   * Between `onSent` and the answer it may be called once more, with `isAhead`: the server then runs nothing of it unless it
   * has run all of what was sent before.
   */
  sendTogether?(options: {
    readonly isAhead: boolean;
    readonly onSent?: ((packet: InFlight) => void) | undefined;
  }): Promise<TogetherAnswer>;

  /** Asks the server, over a second connection, to end what runs now. Never rejects. */
  cancel(): Promise<void>;
  /** Ends the connection (or gives it back to the pool it was lent by). Never rejects. */
  end(): Promise<void>;
}

/** Where sessions come from. */
export interface Database {
  readonly dialect: 'postgres' | 'mysql';
  /** For people, without the password: `postgres://shop@db.internal:5432/shop`. */
  readonly description: string;
  /** Where its url says that things go; absent where there is none. */
  readonly place?: UrlPlace;
  /** Opens a session. Throws `DatabaseUnreachableError` saying where and why, without secrets. */
  open(): Promise<MigrationSession>;
  /** Gives up what {@link open} keeps beside sessions. A pool that the application brought stays open. */
  close(): Promise<void>;
}
