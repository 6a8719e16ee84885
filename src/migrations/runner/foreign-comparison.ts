import type { NewHistoryRow, ResolvedMigration } from '../migration.js';
import { isSameSql } from '../planning/differences.js';
import { compareVersions, type Version } from '../version.js';
import { fileOf, type ForeignHistory, type ForeignRow, stemOf } from './foreign-history.js';
import type { RunContext } from './run-context.js';

/** Rows that stand for no file of their own. */
const WITHOUT_FILE = new Set(['BASELINE', 'DELETE']);

/** What the rows of another tool are, beside the files. */
export interface ForeignComparison {
  /** Rows of the history, in the order of theirs. One that failed there has failed here. */
  readonly rows: readonly NewHistoryRow[];
  readonly notes: readonly string[];
  /** What they have applied. */
  readonly applied: readonly string[];
  /** The scripts that a row of theirs is about. */
  readonly matched: ReadonlySet<string>;
}

export function compareForeign(
  context: RunContext,
  { rows, identity }: ForeignHistory,
  files: readonly ResolvedMigration[],
): ForeignComparison {
  const toAdd = new Map<string, NewHistoryRow>();
  const notes = new Map<string, string>();
  const applied: string[] = [];
  const matched = new Set<string>();
  const add = (row: NewHistoryRow): void => {
    // A repeatable one that ran again belongs where it ran last.
    toAdd.delete(row.script);
    toAdd.set(row.script, row);
  };
  const takeBack = (version: Version | undefined): void => {
    for (const [script, { version: added, type }] of toAdd)
      if (!WITHOUT_FILE.has(type) && isSame(version, added)) toAdd.delete(script);
  };
  for (const row of rows) {
    const { type, version } = row;
    // That Flyway created the schema is of use to its `clean` alone.
    if (type === 'SCHEMA') continue;
    if (type !== undefined && WITHOUT_FILE.has(type)) {
      if (type === 'DELETE') {
        takeBack(version);
        for (const other of rows) if (isSame(version, other.version)) notes.delete(other.name);
      }
      const { name: script, description = script } = row;
      const base = { script, description, type, ...circumstancesOf(row, context) };
      add(version === undefined ? base : { ...base, version });
      continue;
    }
    if (type?.startsWith('UNDO_')) {
      takeBack(version);
      continue;
    }
    if (row.success) applied.push(row.name);
    const file = fileOf(row, { files, identity });
    if (file === undefined) {
      notes.set(
        row.name,
        row.success
          ? `${row.name} has no file here: it was not taken over.`
          : `${row.name} failed or is half done there, and has no file here: it was not taken over. See that what it had done is taken back.`,
      );
      continue;
    }
    matched.add(file.script);
    const checksums = checksumsOf(row, file);
    if (!canKeep(context, checksums))
      notes.set(
        file.script,
        `${file.script} is not the file that was applied, and ${context.history.table} cannot keep the checksum of that: what was edited will not be found later.`,
      );
    add({ ...identityOf(file), ...checksums, ...circumstancesOf(row, context) });
  }
  return { rows: [...toAdd.values()], notes: [...notes.values()], applied, matched };
}

type Identified = Pick<NewHistoryRow, 'script' | 'version' | 'type'>;

/** Whether the history has the row already: of the same file, also where that was given another name or ending since. */
export function isSameMigration(one: Identified, other: Identified): boolean {
  // A version and the row that says that it was deleted.
  if (WITHOUT_FILE.has(one.type) !== WITHOUT_FILE.has(other.type)) return false;
  if (one.script === other.script || isSame(one.version, other.version)) return true;
  return (
    one.version === undefined && other.version === undefined && stemOf(one.script) === stemOf(other.script)
  );
}

function isSame(one: Version | undefined, other: Version | undefined): boolean {
  return one !== undefined && other !== undefined && compareVersions(one, other) === 0;
}

type Checksums = Pick<NewHistoryRow, 'checksum' | 'sha256'>;

/** Theirs, where that says that the file was edited since; else those of the file, of which theirs is one at most. */
function checksumsOf({ type = 'SQL', checksum, sha256 }: ForeignRow, file: ResolvedMigration): Checksums {
  const theirs = {
    ...(checksum === undefined ? {} : { checksum }),
    ...(sha256 === undefined ? {} : { sha256 }),
  };
  // What Flyway calls the checksum of a Java class is whatever the class says.
  const isSql = type === 'SQL' || type === 'SQL_BASELINE';
  return isSql && isSameSql(file, theirs) === false
    ? theirs
    : { checksum: file.checksum, sha256: file.sha256 };
}

/** Flyway's table has no SHA-256, Prisma's nothing else. */
function canKeep({ history }: RunContext, { checksum, sha256 }: Checksums): boolean {
  return (history.format === 'prisma' ? sha256 : history.format === 'flyway' ? checksum : true) !== undefined;
}

function circumstancesOf(
  { installedBy, installedOn, executionTimeMs = 0, success }: ForeignRow,
  { options, history }: RunContext,
): Pick<NewHistoryRow, 'installedBy' | 'installedOn' | 'executionTimeMs' | 'success'> {
  return {
    installedBy: installedBy ?? options.installedBy ?? history.user,
    ...(installedOn === undefined || Number.isNaN(installedOn.getTime()) ? {} : { installedOn }),
    executionTimeMs,
    success,
  };
}

function identityOf({
  version,
  description,
  script,
  body,
  kind,
}: ResolvedMigration): Pick<NewHistoryRow, 'version' | 'description' | 'type' | 'script'> {
  return {
    ...(version === undefined ? {} : { version }),
    description,
    type: kind === 'baseline' ? 'SQL_BASELINE' : body.kind === 'code' ? 'JDBC' : 'SQL',
    script,
  };
}
