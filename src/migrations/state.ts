/**
 * What a migration is at, as planning finds it from what was resolved (files) and what was applied (rows).
 * The table in docs/migrations.md says the same and a test compares them.
 */
export const MIGRATION_STATES = {
  PENDING: 'A file that was not applied yet; the next `up` runs it.',
  ABOVE_TARGET: 'Not applied, and above the version that `--to` names.',
  BELOW_BASELINE: 'Not applied, and below the baseline: what it does is in the database already.',
  BASELINE_IGNORED: 'A baseline file that is not used, since migrations were applied before.',
  BASELINE: 'The baseline: versions up to it count as applied.',
  OUT_OF_ORDER_PENDING: 'Not applied, and below a version that is: refused, unless `--out-of-order`.',
  SUCCESS: 'Applied.',
  OUT_OF_ORDER: 'Applied after a higher version.',
  FAILED: 'It failed half-way on a database that cannot roll back; `up` goes on or says what to do.',
  MISSING: 'Applied, and its file is gone.',
  MISSING_FAILED: 'It failed half-way, and its file is gone.',
  FUTURE: 'Applied, its file is unknown, and it is above every known one: a newer release was here.',
  FUTURE_FAILED: 'A newer release failed half-way here.',
  CHANGED: 'Applied, and its file was edited since: the checksum differs.',
  OUTDATED: 'A repeatable one whose file was edited; the next `up` runs it again.',
  SUPERSEDED: 'An earlier run of a repeatable one, or a version that was undone and applied again.',
  UNDONE: 'It was applied and taken back; the next `up` applies it again.',
  AVAILABLE: 'An undo file whose version is applied.',
  DELETED: 'Applied, and its file is gone; `repair` noted that it is meant to be.',
} as const;

export type MigrationState = keyof typeof MIGRATION_STATES;
