import type { AppliedMigration } from '../migration.js';
import { compareVersions, type Version, versionKey } from '../version.js';

/** What a row of the history tells of. */
export type Role = 'version' | 'repeatable' | 'baseline' | 'undo' | 'delete' | 'schema';

/** A row, and what the rows after it made of it. */
export interface Run {
  readonly row: AppliedMigration;
  readonly role: Role;
  /** What it is a run of: equal for the runs of one version, of one repeatable migration, of one undo. */
  readonly key: string;
  /** `current`: nothing after it changed what it says. */
  fate: 'current' | 'superseded' | 'undone' | 'deleted';
  /** Whether a higher version was applied before it. */
  isOutOfOrder: boolean;
}

/** The history, read from its first row to its last. */
export interface Runs {
  /** By rank. */
  readonly all: readonly Run[];
  /** The current run of a version; none where it was undone, or its removal noted. */
  currentOf(version: Version): Run | undefined;
  /** The highest version that is applied, or failed half-way, or that a baseline row stands for. */
  readonly highest: Version | undefined;
  /** The highest that a baseline row has. */
  readonly baseline: Version | undefined;
}

/** Reads the rows. Those of types that nobody knows (`SPRING_JDBC`, `SCRIPT`) are runs like others. */
export function readRuns(applied: readonly AppliedMigration[]): Runs {
  const current = new Map<string, Run>();
  const all = applied.toSorted((a, b) => a.installedRank - b.installedRank).map(toRun);
  for (const run of all) {
    const { role, row, key } = run;
    if (role === 'schema') continue;
    if (role === 'delete' || role === 'undo') settle(current, run);
    if (role === 'delete') continue;
    const earlier = current.get(key);
    if (earlier !== undefined) earlier.fate = 'superseded';
    // An undo that succeeded has nothing to go on with.
    if (role === 'undo' && row.success) current.delete(key);
    else current.set(key, run);
  }
  markOutOfOrder(all);
  const counted = all.filter(
    ({ role, fate }) => fate === 'current' && (role === 'version' || role === 'baseline'),
  );
  return {
    all,
    currentOf: (version) => current.get(keyOf('version', { version, description: '' })),
    highest: highestOf(counted.map(({ row }) => row.version)),
    baseline: highestOf(counted.filter(({ role }) => role === 'baseline').map(({ row }) => row.version)),
  };
}

/** The highest of these. */
export function highestOf(versions: Iterable<Version | undefined>): Version | undefined {
  let highest: Version | undefined;
  for (const version of versions)
    if (version !== undefined && (highest === undefined || compareVersions(version, highest) > 0))
      highest = version;
  return highest;
}

const DESCRIPTION_LENGTH = 200;
/** What Flyway writes where a database keeps no empty string. */
const NO_DESCRIPTION = '<< no description >>';

/** A description as the history holds it: Flyway's `AbbreviationUtils` cuts long ones. */
export function storedDescription(description: string): string {
  if (description === NO_DESCRIPTION) return '';
  const text = description.normalize('NFC');
  return text.length <= DESCRIPTION_LENGTH ? text : `${text.slice(0, DESCRIPTION_LENGTH - 3)}...`;
}

function toRun(row: AppliedMigration): Run {
  const role = roleOf(row);
  return { row, role, key: keyOf(role, row), fate: 'current', isOutOfOrder: false };
}

function roleOf({ type, version }: AppliedMigration): Role {
  if (type === 'SCHEMA') return 'schema';
  if (type === 'DELETE') return 'delete';
  if (type.endsWith('BASELINE')) return 'baseline';
  if (type.startsWith('UNDO')) return 'undo';
  return version === undefined ? 'repeatable' : 'version';
}

const keyOf = (role: Role, { version, description }: Pick<AppliedMigration, 'version' | 'description'>) =>
  `${role} ${version === undefined ? storedDescription(description) : versionKey(version)}`;

/** An undo or a removal that was noted ends the current run of what it names. */
function settle(current: Map<string, Run>, { role, row }: Run): void {
  if (!row.success) return;
  const key = keyOf(row.version === undefined ? 'repeatable' : 'version', row);
  const run = current.get(key);
  if (run === undefined) return;
  run.fate = role === 'undo' ? 'undone' : 'deleted';
  current.delete(key);
}

/** As Flyway: what was undone or deleted is no measure for what came after it. */
function markOutOfOrder(all: readonly Run[]): void {
  let highest: Version | undefined;
  for (const run of all) {
    const { version } = run.row;
    if (version === undefined || (run.role !== 'version' && run.role !== 'baseline')) continue;
    if (run.fate === 'undone' || run.fate === 'deleted') continue;
    if (highest === undefined || compareVersions(version, highest) >= 0) highest = version;
    else run.isOutOfOrder = true;
  }
}
