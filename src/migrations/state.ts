/**
 * What a migration is at, as planning finds it from what was resolved (files) and what was applied (rows).
 * The table in docs/migrations.md says the same and a test compares them.
 */
export const MIGRATION_STATES = {
  PENDING: 'A file that was not applied yet; the next `up` runs it.',
  ABOVE_TARGET: 'Not applied, and above the version that `--to` names.',
  BELOW_BASELINE: 'Not applied, and not above the baseline: what it does is in the database already.',
  BASELINE_IGNORED:
    'A baseline file that is not used: versions were applied before, or a higher baseline is used.',
  BASELINE: 'The baseline: versions up to it count as applied.',
  OUT_OF_ORDER_PENDING: 'Not applied, and below a version that is: refused, unless `--out-of-order`.',
  SUCCESS: 'Applied.',
  OUT_OF_ORDER: 'Applied after a higher version.',
  RUNNING: 'Another deployer is at it now, statement by statement: `status` says who.',
  FAILED: 'It failed half-way on a database that cannot roll back; `up` goes on or says what to do.',
  MISSING: 'Applied, and its file is gone: refused. A repeatable one is a note.',
  MISSING_FAILED: 'It failed half-way, and its file is gone.',
  FUTURE: 'Applied, and above every file: a newer release was here.',
  FUTURE_FAILED: 'A newer release failed half-way here.',
  CHANGED: 'Applied, and its file is another one now: refused.',
  OUTDATED: 'A repeatable one whose file, or a value in it, was changed; the next `up` runs it again.',
  SUPERSEDED: 'An earlier run of what ran again later.',
  UNDONE: 'It was applied and taken back; its file is pending again.',
  AVAILABLE: 'An undo file whose version is applied.',
  UNAVAILABLE: 'An undo file whose version is not applied, or a `down` that needs another tool.',
  DELETED: 'It was applied, and `repair` noted that its file is gone on purpose.',
} as const;

/** One of {@link MIGRATION_STATES}. */
export type MigrationState = keyof typeof MIGRATION_STATES;
