import { HoldfastError, type HoldfastErrorDetails } from '../core/index.js';
import type { ServerWarning } from './database/session.js';
import type { LockHolder } from './locks/lock.js';
import type { SourcePosition } from './sql/statement.js';

/** Thrown for a version that is none. */
export class InvalidVersionError extends HoldfastError {
  static readonly code = 'INVALID_VERSION';
  readonly code = InvalidVersionError.code;
}

/** Where in a file something is wrong. */
export interface ScriptPlace {
  /** The script as the history calls it. */
  readonly script?: string | undefined;
  readonly position: SourcePosition;
}

/** Thrown for a SQL file that can never be sent as it is: a quote that does not end, a psql meta-command, an unknown directive. */
export class SqlSyntaxError extends HoldfastError {
  static readonly code = 'SQL_SYNTAX';
  readonly code = SqlSyntaxError.code;
  readonly position: SourcePosition;

  constructor(message: string, { position, ...details }: ScriptPlace & HoldfastErrorDetails) {
    super(message, details);
    this.position = position;
  }
}

/** Thrown when the files are wrong before any database is asked: two files with one version, a name that is no migration's. */
export class InvalidMigrationsError extends HoldfastError {
  static readonly code = 'INVALID_MIGRATIONS';
  readonly code = InvalidMigrationsError.code;
}

/** Thrown when no connection could be opened. The message holds the address without the password. */
export class DatabaseUnreachableError extends HoldfastError {
  static readonly code = 'DATABASE_UNREACHABLE';
  readonly code = DatabaseUnreachableError.code;
}

/** Thrown by a session for the statement that the server refused. */
export class StatementFailedError extends HoldfastError {
  static readonly code = 'STATEMENT_FAILED';
  readonly code = StatementFailedError.code;
  /** Place of the statement in what was handed to `run`. */
  readonly at: number;
  /** UTF-16 offset in the statement's text where the server points, where it does. */
  readonly offset: number | undefined;
  /** Whether the connection was lost, so that nobody knows whether it took effect. */
  readonly outcomeUnknown: boolean;

  constructor(
    message: string,
    details: HoldfastErrorDetails & { at: number; offset?: number | undefined; outcomeUnknown?: boolean },
  ) {
    super(message, details);
    this.at = details.at;
    this.offset = details.offset;
    this.outcomeUnknown = details.outcomeUnknown ?? false;
  }
}

/** What the database is left with after a failure. */
export type FailureEffect =
  /** As before the migration. */
  | 'rolled back'
  /** Statements before the failed one stay; the journal knows which. */
  | 'partial'
  /** The connection was lost, and the server could not be asked. */
  | 'unknown';

/** What a script ended with, whatever stopped it. */
abstract class FailedScriptError extends HoldfastError {
  readonly script: string;
  readonly effect: FailureEffect;

  constructor(message: string, details: FailedScript) {
    super(message, details);
    this.script = details.script;
    this.effect = details.effect;
  }
}

type FailedScript = HoldfastErrorDetails & { readonly script: string; readonly effect: FailureEffect };

/** Thrown when a migration failed. The message names file, line, column and statement, what stays applied, and the next step. */
export class MigrationFailedError extends FailedScriptError {
  static readonly code = 'MIGRATION_FAILED';
  readonly code = MigrationFailedError.code;
  readonly position: SourcePosition | undefined;

  constructor(message: string, details: FailedScript & { position?: SourcePosition | undefined }) {
    super(message, details);
    this.position = details.position;
  }
}

/** Thrown when a `-- verify:` clause returned rows. */
export class VerifyFailedError extends FailedScriptError {
  static readonly code = 'VERIFY_FAILED';
  readonly code = VerifyFailedError.code;
}

/** Thrown when MySQL or MariaDB answered a statement with warnings that are not allowed. */
export class MigrationWarningError extends FailedScriptError {
  static readonly code = 'MIGRATION_WARNING';
  readonly code = MigrationWarningError.code;
  readonly warnings: readonly ServerWarning[];

  constructor(message: string, details: FailedScript & { warnings: readonly ServerWarning[] }) {
    super(message, details);
    this.warnings = details.warnings;
  }
}

/** Thrown when files and history contradict each other: an edited file, a missing one, a late lower version, a failed row. */
export class ValidationFailedError extends HoldfastError {
  static readonly code = 'VALIDATION_FAILED';
  readonly code = ValidationFailedError.code;
}

/** Thrown when somebody else held the lock for as long as was waited. */
export class LockBusyError extends HoldfastError {
  static readonly code = 'LOCK_BUSY';
  readonly code = LockBusyError.code;
  readonly holder: LockHolder | undefined;

  constructor(message: string, details: HoldfastErrorDetails & { holder: LockHolder | undefined }) {
    super(message, { retryable: true, ...details });
    this.holder = details.holder;
  }
}

/** Thrown when the lock was taken away: the session was ended, or the lease ran out. */
export class LockLostError extends HoldfastError {
  static readonly code = 'LOCK_LOST';
  readonly code = LockLostError.code;
}

/** Thrown when the run was asked to stop and did, at the boundary of a statement. */
export class MigrationInterruptedError extends HoldfastError {
  static readonly code = 'MIGRATION_INTERRUPTED';
  readonly code = MigrationInterruptedError.code;
  readonly effect: FailureEffect;

  constructor(message: string, details: HoldfastErrorDetails & { effect: FailureEffect }) {
    super(message, { retryable: true, ...details });
    this.effect = details.effect;
  }
}

/** Thrown when the database's user lacks a right, or the server only reads. The message names the grant. */
export class MissingRightsError extends HoldfastError {
  static readonly code = 'MISSING_RIGHTS';
  readonly code = MissingRightsError.code;
}
