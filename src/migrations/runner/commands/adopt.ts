import { InvalidOptionsError } from '../../../core/index.js';
import { ValidationFailedError } from '../../errors.js';
import type { Adoptable, AdoptOptions, AdoptResult } from '../../migrator.js';
import type { PlanEntry } from '../../planning/plan.js';
import { createOwn } from '../create-own.js';
import { list } from '../describe-failure.js';
import { compareForeign, isSameMigration } from '../foreign-comparison.js';
import { FOREIGN_TABLES, readForeignHistory } from '../foreign-history.js';
import { requireNothingElse } from '../foreign-schema.js';
import type { RunContext } from '../run-context.js';
import { RunSignals } from '../signals.js';
import { readSources, survey } from '../survey.js';
import { inTransaction } from '../transaction.js';
import { withLock } from '../with-lock.js';
import { requireWritable } from './up.js';

/**
 * Takes over what another tool has applied: each row of its table for which there is a file becomes a row of the
 * history, with when, by whom and how long where their table has it. The checksum is theirs, so that a file that was
 * edited since is found; a tool that keeps none is believed that the file of today is what it applied. What failed there
 * half-way has failed half-way here, so that `up` is refused until somebody looked at it. Their table is read and stays as
 * it is. Doing it twice adds nothing, whatever the files are called meanwhile.
 *
 * Throws `InvalidOptionsError` where their table is not there, and `ValidationFailedError`, with nothing changed, where none
 * of what they have applied is among the files.
 */
export async function adopt(
  context: RunContext,
  { from, table, column }: AdoptOptions,
): Promise<AdoptResult> {
  const { session, history } = context;
  const place = { schema: history.schema, user: history.user, name: table ?? FOREIGN_TABLES[from] };
  if (place.name === history.name) {
    throw new InvalidOptionsError(
      `${history.table} is the history already (history: '${history.format}'): there is nothing to take over.`,
    );
  }
  const sources = await readSources(context);
  const foreign = await readForeignHistory(context, from, { ...place, column });
  requireWritable(context);
  return withLock(context, new RunSignals({}), async (lock) => {
    const { applied, hasHistory } = await survey(context, sources, { lock });
    const files = sources.migrations.filter(({ kind }) => kind !== 'undo');
    const found = compareForeign(context, foreign, files);
    if (found.rows.length === 0 && found.applied.length > 0) throw noneHere(context, from, found.applied);
    if (!hasHistory) {
      if (found.rows.length === 0) await requireNothingElse(context, { from, table: place.name });
      await createOwn(context);
    }
    const missing = found.rows.filter(
      (row) => !applied.some((each) => (each.success || !row.success) && isSameMigration(each, row)),
    );
    await inTransaction(session, async () => {
      for (const row of missing) await history.add(session, row);
    });
    const { plan, problems } = await survey(context, sources, { lock });
    return {
      adopted: missing.filter(({ success }) => success).map(({ script }) => script),
      notes: [
        ...found.notes,
        ...plan.entries.flatMap((entry) => noteOf(entry, { from, matched: found.matched }) ?? []),
        ...problems.map(({ message }) => message),
      ],
    };
  });
}

/** The history would be there and empty, and the next `up` would run everything once more. */
function noneHere(
  { options }: RunContext,
  from: Adoptable,
  applied: readonly string[],
): ValidationFailedError {
  const where = options.directories.join(', ');
  return new ValidationFailedError(
    `None of what ${from} has applied (${list(applied)}) is among the files of ${where}: see that \`directories\` names the right place. Nothing was taken over.`,
  );
}

/** What `up` will do with a file that is not simply applied; what it refuses is told as the problem that it is. */
function noteOf(
  { migration, row, state }: PlanEntry,
  { from, matched }: { readonly from: Adoptable; readonly matched: ReadonlySet<string> },
): string | undefined {
  if (migration === undefined) return undefined;
  const { script, kind } = migration;
  if (state === 'OUTDATED')
    return `${script} was edited since ${from} ran it: the next \`up\` runs it again.`;
  if (row !== undefined || kind === 'baseline') return undefined;
  if (state === 'PENDING')
    return matched.has(script)
      ? `${script} was undone since it was taken over from ${from}: the next \`up\` runs it.`
      : `${script} has no row of ${from}: the next \`up\` runs it.`;
  if (state === 'BELOW_BASELINE')
    return `${script} has no row of ${from} and is not above the baseline: it counts as applied, and \`up\` does not run it.`;
  return undefined;
}
