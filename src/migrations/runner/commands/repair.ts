import type { NewHistoryRow } from '../../migration.js';
import type { RepairResult } from '../../migrator.js';
import { differenceOf, isOfFileAlone } from '../../planning/differences.js';
import type { PlanEntry } from '../../planning/plan.js';
import { NO_WORD_FOR_DELETED } from '../../planning/problems.js';
import { Callbacks } from '../callbacks.js';
import type { RunContext } from '../run-context.js';
import { RunSignals } from '../signals.js';
import { readSources, type Survey, survey } from '../survey.js';
import { inTransaction } from '../transaction.js';
import { withLock } from '../with-lock.js';
import { requireWritable } from './up.js';

/**
 * Brings the history in line with the files: rows of failed runs go, and with them what the journal knows of a script,
 * for whoever calls this has taken back by hand what was done; checksums of edited files are taken over; applied
 * migrations whose files are gone are marked as deleted. Changes nothing but the tables of holdfast.
 */
export async function repair(context: RunContext): Promise<RepairResult> {
  const signals = new RunSignals({});
  const sources = await readSources(context);
  requireWritable(context);
  return withLock(context, signals, async (lock) => {
    const callbacks = new Callbacks({ context, signals, callbacks: sources.callbacks });
    await callbacks.run('beforeRepair');
    const found = await survey(context, sources, { lock });
    const changes = await inTransaction(context.session, async () => [
      ...(await forgetFailures(context, found)),
      ...(await realign(context, found)),
      ...(await markDeleted(context, found)),
    ]);
    await callbacks.run('afterRepair');
    return { changes };
  });
}

async function forgetFailures(
  { session, history, journal }: RunContext,
  { plan }: Survey,
): Promise<string[]> {
  const changes: string[] = [];
  for (const { row } of plan.failed) {
    await history.remove(session, row!.installedRank);
    changes.push(`Removed the failed run of ${row!.script} from ${history.table}.`);
  }
  if (!(await journal.exists(session))) return changes;
  const { begun } = await journal.known(session);
  await journal.forgetUnbegun(session);
  for (const { script, done, undecided } of begun) {
    await journal.clear(session, script);
    changes.push(
      `Forgot that ${script} had come to statement ${undecided?.statement ?? done}: the next \`up\` runs it from its beginning.`,
    );
  }
  return changes;
}

async function realign({ session, history }: RunContext, { plan }: Survey): Promise<string[]> {
  const changes: string[] = [];
  for (const { state, row, migration } of plan.entries) {
    if (state === 'SUCCESS' && row && migration && isOfFileAlone(migration, row)) {
      await history.update(session, row.installedRank, { checksum: migration.checksum });
      changes.push(
        `Took over the checksum of ${migration.script} with the values of its placeholders, which count as those that it was run with: other ones make it run again from now on.`,
      );
      continue;
    }
    if (state !== 'CHANGED' || !row || !migration) continue;
    const { checksum, sha256, description, script } = migration;
    // The words of the refusal that led here.
    const { what, applied, found } = differenceOf(migration, row)!;
    await history.update(session, row.installedRank, {
      checksum,
      sha256,
      description,
      ...(what === 'kind'
        ? { type: migration.body.kind === 'code' ? ('JDBC' as const) : ('SQL' as const) }
        : {}),
    });
    changes.push(`Took over the ${what} of ${script}: it was ${applied} and is ${found}.`);
  }
  return changes;
}

async function markDeleted(
  { session, history, options, emit }: RunContext,
  { plan }: Survey,
): Promise<string[]> {
  const changes: string[] = [];
  for (const { row } of plan.entries.filter(isGone)) {
    if (!history.canMarkDeleted) {
      const message = `${row!.script} is no longer there. ${NO_WORD_FOR_DELETED}`;
      emit({ kind: 'note', script: row!.script, message });
      continue;
    }
    const { version, description, script, checksum } = row!;
    const deleted: NewHistoryRow = {
      ...(version === undefined ? {} : { version }),
      ...(checksum === undefined ? {} : { checksum }),
      description,
      script,
      type: 'DELETE',
      installedBy: options.installedBy ?? history.user,
      executionTimeMs: 0,
      success: true,
    };
    await history.add(session, deleted);
    changes.push(`Marked ${script} as deleted: it was applied, and its file is gone.`);
  }
  return changes;
}

/** A newer release's migrations are not gone: their files are with that release. */
function isGone({ state, row }: PlanEntry): boolean {
  return state === 'MISSING' && row !== undefined;
}
