import { InvalidOptionsError } from '../../../core/index.js';
import type { NewHistoryRow, ResolvedMigration } from '../../migration.js';
import type { AdoptOptions, AdoptResult } from '../../migrator.js';
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
const WITHOUT_FILE = new Set(['BASELINE', 'SCHEMA', 'DELETE']);

/**
 * Takes over what another tool has applied: each row of its table for which there is a file becomes a row of the
 * history, with the file's checksum as it is today. Their table is read and stays as it is. Doing it twice adds nothing.
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
  return withLock(context, new RunSignals({}), async () => {
    const { applied, hasHistory } = await survey(context, sources);
    if (!hasHistory) await createOwn(context);
    const known = new Set(applied.filter(({ success }) => success).map(({ script }) => script));
    const files = sources.migrations.filter(({ kind }) => kind !== 'undo');
    const { toAdd, notes, matched } = compare(context, { rows, files });
    const missing = toAdd.filter(({ script }) => !known.has(script));
    await inTransaction(session, async () => {
      for (const row of missing) await history.add(session, row);
    });
    const pending = files.filter(
      ({ script, kind }) => kind === 'versioned' && !matched.has(script) && !known.has(script),
    );
    return {
      adopted: missing.map(({ script }) => script),
      notes: [
        ...notes,
        ...pending.map(({ script }) => `${script} has no row of ${from}: the next \`up\` runs it.`),
      ],
    };
  });
}

interface Comparison {
  readonly toAdd: readonly NewHistoryRow[];
  readonly notes: readonly string[];
  readonly matched: ReadonlySet<string>;
}

function compare(
  context: RunContext,
  { rows, files }: { readonly rows: readonly ForeignRow[]; readonly files: readonly ResolvedMigration[] },
): Comparison {
  const toAdd = new Map<string, NewHistoryRow>();
  const notes: string[] = [];
  const installedBy = context.options.installedBy ?? context.history.user;
  for (const row of rows) {
    if (!row.success) {
      notes.push(`${row.name} failed or is half done there: it was not taken over.`);
      continue;
    }
    if (row.type !== undefined && WITHOUT_FILE.has(row.type)) {
      const { name: script, version, description = script, type } = row;
      const base = { script, description, type, installedBy, executionTimeMs: 0, success: true };
      toAdd.set(script, version === undefined ? base : { ...base, version });
      continue;
    }
    if (row.type?.startsWith('UNDO_')) {
      const { version } = row;
      for (const [script, added] of toAdd)
        if (version && added.version && compareVersions(version, added.version) === 0) toAdd.delete(script);
      continue;
    }
    const file = fileOf(row, files);
    if (file === undefined) notes.push(`${row.name} has no file here: it was not taken over.`);
    else toAdd.set(file.script, rowOf(file, installedBy));
  }
  return { toAdd: [...toAdd.values()], notes, matched: new Set(toAdd.keys()) };
}

function rowOf(
  { version, description, script, checksum, sha256, body, kind }: ResolvedMigration,
  installedBy: string,
): NewHistoryRow {
  return {
    ...(version === undefined ? {} : { version }),
    description,
    type: kind === 'baseline' ? 'SQL_BASELINE' : body.kind === 'code' ? 'JDBC' : 'SQL',
    script,
    checksum,
    sha256,
    installedBy,
    executionTimeMs: 0,
    success: true,
  };
}
