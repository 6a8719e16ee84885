import { InvalidOptionsError } from '../../../core/index.js';
import type { NewHistoryRow, ResolvedMigration } from '../../migration.js';
import type { Adoptable, AdoptOptions, AdoptResult } from '../../migrator.js';
import { isSameSql } from '../../planning/differences.js';
import type { PlanEntry } from '../../planning/plan.js';
import { compareVersions } from '../../version.js';
import { createOwn } from '../create-own.js';
import { fileOf, type ForeignRow, FOREIGN_TABLES, readForeignHistory } from '../foreign-history.js';
import type { RunContext } from '../run-context.js';
import { RunSignals } from '../signals.js';
import { readSources, survey } from '../survey.js';
import { inTransaction } from '../transaction.js';
import { withLock } from '../with-lock.js';
import { requireWritable } from './up.js';

/** Rows that stand for no file of their own. */
const WITHOUT_FILE = new Set(['BASELINE', 'DELETE']);

/**
 * Takes over what another tool has applied: each row of its table for which there is a file becomes a row of the
 * history, with when, by whom and how long where their table has it. The checksum is theirs, so that a file that was
 * edited since is found; a tool that keeps none is believed that the file of today is what it applied. Their table is
 * read and stays as it is. Doing it twice adds nothing.
 */
export async function adopt(context: RunContext, { from, table }: AdoptOptions): Promise<AdoptResult> {
  const { session, history } = context;
  const place = { schema: history.schema, user: history.user, name: table ?? FOREIGN_TABLES[from] };
  if (place.name === history.name) {
    throw new InvalidOptionsError(
      `${history.table} is the history already (history: '${history.format}'): there is nothing to take over.`,
    );
  }
  const sources = await readSources(context);
  const rows = await readForeignHistory(session, from, place);
  requireWritable(context);
  return withLock(context, new RunSignals({}), async (lock) => {
    const { applied, hasHistory } = await survey(context, sources, { lock });
    if (!hasHistory) await createOwn(context);
    const known = new Set(applied.filter(({ success }) => success).map(({ script }) => script));
    const files = sources.migrations.filter(({ kind }) => kind !== 'undo');
    const { toAdd, notes } = compare(context, { rows, files });
    const missing = toAdd.filter(({ script }) => !known.has(script));
    await inTransaction(session, async () => {
      for (const row of missing) await history.add(session, row);
    });
    const { plan, problems } = await survey(context, sources, { lock });
    return {
      adopted: missing.map(({ script }) => script),
      notes: [
        ...notes,
        ...plan.entries.flatMap((entry) => noteOf(entry, from) ?? []),
        ...problems.map(({ message }) => message),
      ],
    };
  });
}

/** What `up` will do with a file that is not simply applied; what it refuses is told as the problem that it is. */
function noteOf({ migration, row, state }: PlanEntry, from: Adoptable): string | undefined {
  if (migration === undefined) return undefined;
  const { script, kind } = migration;
  if (state === 'OUTDATED')
    return `${script} was edited since ${from} ran it: the next \`up\` runs it again.`;
  if (row !== undefined || kind === 'baseline') return undefined;
  if (state === 'PENDING') return `${script} has no row of ${from}: the next \`up\` runs it.`;
  if (state === 'BELOW_BASELINE')
    return `${script} has no row of ${from} and is not above the baseline: it counts as applied, and \`up\` does not run it.`;
  return undefined;
}

interface Comparison {
  readonly toAdd: readonly NewHistoryRow[];
  readonly notes: readonly string[];
}

function compare(
  context: RunContext,
  { rows, files }: { readonly rows: readonly ForeignRow[]; readonly files: readonly ResolvedMigration[] },
): Comparison {
  const toAdd = new Map<string, NewHistoryRow>();
  const notes: string[] = [];
  const add = (row: NewHistoryRow): void => {
    // A repeatable one that ran again belongs where it ran last.
    toAdd.delete(row.script);
    toAdd.set(row.script, row);
  };
  for (const row of rows) {
    // That Flyway created the schema is of use to its `clean` alone.
    if (row.type === 'SCHEMA') continue;
    if (!row.success) {
      notes.push(`${row.name} failed or is half done there: it was not taken over.`);
      continue;
    }
    if (row.type !== undefined && WITHOUT_FILE.has(row.type)) {
      const { name: script, version, description = script, type } = row;
      const base = { script, description, type, ...circumstancesOf(row, context) };
      add(version === undefined ? base : { ...base, version });
      continue;
    }
    if (row.type?.startsWith('UNDO_')) {
      const { version } = row;
      for (const [script, added] of toAdd)
        if (version && added.version && compareVersions(version, added.version) === 0) toAdd.delete(script);
      continue;
    }
    const file = fileOf(row, files);
    if (file === undefined) {
      notes.push(`${row.name} has no file here: it was not taken over.`);
      continue;
    }
    const checksums = checksumsOf(row, file);
    if (!canKeep(context, checksums))
      notes.push(
        `${file.script} is not the file that was applied, and ${context.history.table} cannot keep the checksum of that: what was edited will not be found later.`,
      );
    add({ ...identityOf(file), ...checksums, ...circumstancesOf(row, context) });
  }
  return { toAdd: [...toAdd.values()], notes };
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
  { installedBy, installedOn, executionTimeMs = 0 }: ForeignRow,
  { options, history }: RunContext,
): Pick<NewHistoryRow, 'installedBy' | 'installedOn' | 'executionTimeMs' | 'success'> {
  return {
    installedBy: installedBy ?? options.installedBy ?? history.user,
    ...(installedOn === undefined || Number.isNaN(installedOn.getTime()) ? {} : { installedOn }),
    executionTimeMs,
    success: true,
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
