import type { AppliedMigration, MigrationKind, ResolvedMigration } from '../migration.js';
import type { Problem } from '../migrator.js';
import type { MigrationState } from '../state.js';
import { compareVersions, type Version, versionKey } from '../version.js';
import { differenceOf, isOutdated } from './differences.js';
import { notesOf } from './notes.js';
import type { MakePlan, PlanEntry, PlanOptions } from './plan.js';
import { problemOf } from './problems.js';
import { highestOf, readRuns, type Run, type Runs, storedDescription } from './runs.js';
import { readTarget } from './target.js';

/** See {@link MakePlan}. */
export const plan: MakePlan = ({ resolved, applied, options = {} }) => {
  const context = readContext(resolved, readRuns(applied), options);
  const rows = context.runs.all.map((run) => rowEntry(run, context));
  const used = new Set(rows.map(({ migration }) => migration));
  const files = resolved
    .filter((migration) => !used.has(migration))
    .map((migration) => ({ migration, state: fileState(migration, context) }));
  const entries = merge(rows, files);
  const failed = rows.filter(({ state }) => FAILED_STATES.has(state));
  return {
    entries,
    pending: pendingOf(entries, options),
    failed,
    problems: problemsOf(entries, context),
    notes: notesOf(entries, {
      target: context.target,
      highest: context.runs.highest,
      canMarkDeleted: context.canMarkDeleted,
    }),
    version: highestOf(
      context.runs.all
        .filter(({ role, fate, row }) => fate === 'current' && row.success && HAS_VERSION.has(role))
        .map(({ row }) => row.version),
    ),
  };
};

const FAILED_STATES: ReadonlySet<MigrationState> = new Set(['FAILED', 'MISSING_FAILED', 'FUTURE_FAILED']);
const HAS_VERSION: ReadonlySet<Run['role']> = new Set(['version', 'baseline']);

/** What a single file or row is judged by. */
interface PlanContext {
  readonly runs: Runs;
  readonly fileOf: (
    kind: MigrationKind,
    identity: Pick<AppliedMigration, 'version' | 'description'>,
  ) => ResolvedMigration | undefined;
  readonly target: Version | undefined;
  readonly allowsOutOfOrder: boolean;
  readonly canMarkDeleted: boolean;
  /** The highest version of a file; above it is the future. */
  readonly highestFile: Version | undefined;
  /** The baseline file that is run, on a database to which no version was applied. */
  readonly startsWith: ResolvedMigration | undefined;
  /** What is not above it counts as applied. */
  readonly baseline: Version | undefined;
  /** A row that is not above it needs no file: a baseline says the same. */
  readonly covered: Version | undefined;
}

function readContext(resolved: readonly ResolvedMigration[], runs: Runs, options: PlanOptions): PlanContext {
  const files = new Map(resolved.map((each) => [fileKey(each.kind, each), each]));
  const withVersion = resolved.filter(({ kind }) => kind === 'versioned' || kind === 'baseline');
  const baselines = resolved.filter(({ kind }) => kind === 'baseline');
  const target =
    options.to === undefined
      ? undefined
      : readTarget(options.to, [
          ...withVersion,
          ...runs.all.filter(({ role }) => HAS_VERSION.has(role)).map(({ row }) => row),
        ]);
  const startsWith =
    runs.highest === undefined
      ? baselines.find(
          ({ version }) =>
            version ===
            highestOf(baselines.map((each) => each.version).filter((each) => !isAbove(each, target))),
        )
      : undefined;
  return {
    runs,
    fileOf: (kind, identity) => files.get(fileKey(kind, identity)),
    target,
    allowsOutOfOrder: options.outOfOrder ?? false,
    canMarkDeleted: options.canMarkDeleted ?? true,
    highestFile: highestOf(withVersion.map(({ version }) => version)),
    startsWith,
    baseline: runs.baseline ?? startsWith?.version,
    covered: highestOf([runs.baseline, ...baselines.map(({ version }) => version)]),
  };
}

const fileKey = (
  kind: MigrationKind,
  { version, description }: Pick<AppliedMigration, 'version' | 'description'>,
) => `${kind} ${version === undefined ? storedDescription(description) : versionKey(version)}`;

const isAbove = (version: Version | undefined, limit: Version | undefined) =>
  version !== undefined && limit !== undefined && compareVersions(version, limit) > 0;
const isUpTo = (version: Version | undefined, limit: Version | undefined) =>
  version !== undefined && limit !== undefined && compareVersions(version, limit) <= 0;

const FATES = {
  superseded: 'SUPERSEDED',
  undone: 'UNDONE',
  deleted: 'DELETED',
} as const satisfies Record<Exclude<Run['fate'], 'current'>, MigrationState>;

function rowEntry(run: Run, context: PlanContext): PlanEntry {
  const { row, role, fate } = run;
  if (fate !== 'current') return { row, state: FATES[fate] };
  const migration = fileOfRun(run, context);
  if (migration !== undefined) return { migration, row, state: stateWithFile(migration, run, context) };
  if (role === 'baseline' && row.success) return { row, state: 'BASELINE' };
  return { row, state: stateWithoutFile(run, context) };
}

function fileOfRun({ row, role }: Run, { fileOf }: PlanContext): ResolvedMigration | undefined {
  switch (role) {
    case 'version':
      return fileOf('versioned', row);
    case 'repeatable':
      return fileOf('repeatable', row);
    case 'baseline':
      // The baseline of the command is no file's.
      return row.type === 'BASELINE' ? undefined : fileOf('baseline', row);
    case 'undo':
      // One that succeeded is done with; its file waits for the next run of the version.
      return row.success ? undefined : fileOf('undo', row);
    case 'delete':
    case 'schema':
      return undefined;
  }
}

function stateWithFile(
  migration: ResolvedMigration,
  { row, role, isOutOfOrder }: Run,
  context: PlanContext,
): MigrationState {
  if (!row.success) return 'FAILED';
  if (role === 'baseline') return 'BASELINE';
  if (role === 'repeatable') return isOutdated(migration, row) ? 'OUTDATED' : 'SUCCESS';
  // What a baseline was written over is not asked about any more.
  if (!isUpTo(row.version, context.runs.baseline) && differenceOf(migration, row) !== undefined)
    return 'CHANGED';
  return isOutOfOrder ? 'OUT_OF_ORDER' : 'SUCCESS';
}

function stateWithoutFile({ row, role, isOutOfOrder }: Run, context: PlanContext): MigrationState {
  if (role === 'schema' || role === 'delete' || (role === 'undo' && row.success)) return 'SUCCESS';
  const isFuture = isAbove(row.version, context.highestFile);
  if (!row.success) return isFuture ? 'FUTURE_FAILED' : 'MISSING_FAILED';
  if (isUpTo(row.version, context.covered)) return isOutOfOrder ? 'OUT_OF_ORDER' : 'SUCCESS';
  return isFuture ? 'FUTURE' : 'MISSING';
}

function fileState(migration: ResolvedMigration, context: PlanContext): MigrationState {
  const { kind, version } = migration;
  if (version === undefined) return 'PENDING';
  switch (kind) {
    case 'undo':
      return canUndo(migration) && context.runs.currentOf(version)?.row.success === true
        ? 'AVAILABLE'
        : 'UNAVAILABLE';
    case 'baseline':
      if (migration === context.startsWith) return 'PENDING';
      return context.runs.highest === undefined && isAbove(version, context.target)
        ? 'ABOVE_TARGET'
        : 'BASELINE_IGNORED';
    case 'versioned':
    case 'repeatable':
      if (isUpTo(version, context.baseline)) return 'BELOW_BASELINE';
      if (isAbove(version, context.target)) return 'ABOVE_TARGET';
      return !context.allowsOutOfOrder && isAbove(context.runs.highest, version)
        ? 'OUT_OF_ORDER_PENDING'
        : 'PENDING';
  }
}

const canUndo = ({ body }: ResolvedMigration) => body.kind === 'sql' || body.writtenFor === undefined;

const KINDS: readonly MigrationKind[] = ['baseline', 'versioned', 'undo', 'repeatable'];

/** Puts files that were not applied before the first row of a higher version. */
function merge(
  rows: readonly PlanEntry[],
  files: readonly (PlanEntry & { migration: ResolvedMigration })[],
): PlanEntry[] {
  const versioned = files
    .filter(({ migration }) => migration.version !== undefined)
    .sort(
      ({ migration: a }, { migration: b }) =>
        compareVersions(a.version!, b.version!) || KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind),
    );
  const entries: PlanEntry[] = [];
  let next = 0;
  for (const entry of rows) {
    while (isAbove(entry.row?.version, versioned[next]?.migration.version)) entries.push(versioned[next++]!);
    entries.push(entry);
  }
  const repeatable = files.filter(({ migration }) => migration.version === undefined);
  return [
    ...entries,
    ...versioned.slice(next),
    ...repeatable.sort((a, b) => compareDescriptions(a.migration, b.migration)),
  ];
}

const compareDescriptions = (a: ResolvedMigration, b: ResolvedMigration) =>
  a.description < b.description ? -1 : a.description > b.description ? 1 : 0;

function pendingOf(entries: readonly PlanEntry[], { step }: PlanOptions): ResolvedMigration[] {
  const toRun = entries.flatMap(({ migration, state }) =>
    migration !== undefined && (state === 'PENDING' || state === 'OUTDATED') ? migration : [],
  );
  const versions = toRun
    .filter(({ version }) => version !== undefined)
    .sort((a, b) => compareVersions(a.version!, b.version!));
  // They are written for the newest schema.
  const isComplete = entries.every(({ state }) => state !== 'ABOVE_TARGET');
  const repeatable = isComplete
    ? toRun.filter(({ version }) => version === undefined).sort(compareDescriptions)
    : [];
  return [...versions, ...repeatable].slice(0, step);
}

function problemsOf(
  entries: readonly PlanEntry[],
  { runs, highestFile, canMarkDeleted }: PlanContext,
): Problem[] {
  const context = { highest: runs.highest, hasFiles: highestFile !== undefined, canMarkDeleted };
  return entries.flatMap((entry) => problemOf(entry, context) ?? []);
}
