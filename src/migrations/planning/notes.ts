import type { MigrationState } from '../state.js';
import { compareVersions, type Version } from '../version.js';
import { isRenamed } from './differences.js';
import { NO_WORD_FOR_DELETED } from './problems.js';
import type { PlanEntry, PlanNote } from './plan.js';

export interface NotesContext {
  readonly target: Version | undefined;
  readonly highest: Version | undefined;
  readonly canMarkDeleted: boolean;
}

/** What is worth knowing and refuses nothing. */
export function notesOf(
  entries: readonly PlanEntry[],
  { target, highest, canMarkDeleted }: NotesContext,
): PlanNote[] {
  const notes = entries.flatMap((entry) => noteOf(entry, canMarkDeleted) ?? []);
  const future = entries.filter(({ state }) => state === 'FUTURE').map(({ row }) => row?.version?.text);
  if (future.length > 0)
    notes.push({
      message: `${many(future.length, 'version')} of a newer release ${future.length === 1 ? 'is' : 'are'} applied: ${shorten(future)}.`,
    });
  if (target !== undefined && highest !== undefined && compareVersions(target, highest) < 0)
    notes.push({
      message: `Version ${highest.text} is applied, which is above ${target.text}: \`up\` takes nothing back, \`undo --to ${target.text}\` does.`,
    });
  if (entries.some(({ state }) => state === 'ABOVE_TARGET')) {
    const waiting = entries.filter(
      ({ migration, state }) => migration?.version === undefined && TO_RUN.has(state),
    );
    if (waiting.length > 0)
      notes.push({
        message: `${many(waiting.length, 'repeatable migration')} will run once no version is left.`,
      });
  }
  return notes;
}

const TO_RUN: ReadonlySet<MigrationState> = new Set(['PENDING', 'OUTDATED']);

function noteOf({ migration, row, state }: PlanEntry, canMarkDeleted: boolean): PlanNote | undefined {
  const script = migration?.script ?? row?.script ?? '';
  if (state === 'MISSING' && row?.version === undefined)
    return {
      script,
      message: `${script} was applied and is no longer there; what it made stays. ${canMarkDeleted ? '`repair` notes that it is gone.' : NO_WORD_FOR_DELETED}`,
    };
  if (state === 'FUTURE_FAILED')
    return {
      script,
      message: `${script} of a newer release failed half-way: that release has to finish it.`,
    };
  const isCompared = state === 'SUCCESS' || state === 'OUT_OF_ORDER';
  if (isCompared && migration?.kind === 'versioned' && row !== undefined && isRenamed(migration, row))
    return {
      script,
      message: `${script} was applied as "${row.description}" and has the same content. \`repair\` takes the new name over.`,
    };
  return undefined;
}

const many = (count: number, thing: string) => `${count} ${thing}${count === 1 ? '' : 's'}`;

function shorten(words: readonly (string | undefined)[]): string {
  const shown = words.slice(0, 5).join(', ');
  return words.length > 5 ? `${shown} …` : shown;
}
