import { HoldfastError } from '../core/index.js';
import type { FailureEffect } from '../migrations/index.js';

/** What the program's exit code says. Closed: the program answers no other code; a signal before a command has begun ends it as the system does. The table in docs/migrations.md is this one. */
export const EXIT_CODES = {
  0: 'Done.',
  1: 'It failed, and the database is as it was before what failed.',
  2: '`status` alone: migrations are pending, or callbacks that failed.',
  3: 'It failed, and part of a migration stays in the database, or nobody knows.',
  4: 'Somebody else holds the lock.',
  5: 'Files and history contradict each other: an edited file, a missing one, a late lower version, a failed row, a schema that was not taken over.',
  6: 'A `-- verify:` clause returned rows.',
  7: 'The server answered with warnings that are not allowed.',
  64: 'The command line, the environment or the configuration file is wrong; nothing was done.',
} as const;

export type ExitCode = keyof typeof EXIT_CODES;

/** Of each kind of error that does not say by its effect what is left. The others are 1. */
const CODE_OF: Readonly<Record<string, ExitCode>> = {
  USAGE: 64,
  INVALID_OPTIONS: 64,
  INVALID_VERSION: 64,
  LOCK_BUSY: 4,
  // Another deployer may have worked at the same time: somebody has to look.
  LOCK_LOST: 3,
  VALIDATION_FAILED: 5,
  VERIFY_FAILED: 6,
  MIGRATION_WARNING: 7,
};

/**
 * The exit code for what a command threw. A failed verification and a warning keep their own codes even where part of
 * the migration stays: on MySQL it nearly always does, and the codes would never be seen there.
 */
export function exitCodeOf(error: unknown): ExitCode {
  if (!(error instanceof HoldfastError)) return 1;
  const code = CODE_OF[error.code];
  if (code !== undefined) return code;
  const effect = effectOf(error);
  return effect === 'partial' || effect === 'unknown' ? 3 : 1;
}

/** What the error says is left in the database, where it says. */
export function effectOf(error: unknown): FailureEffect | undefined {
  return (error as { readonly effect?: FailureEffect } | undefined)?.effect;
}
