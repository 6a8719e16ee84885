import type { BegunScript } from '../history/journal.js';
import type { AppliedMigration } from '../migration.js';
import type { Problem } from '../migrator.js';
import type { Version } from '../version.js';
import { differenceOf } from './differences.js';
import type { PlanEntry } from './plan.js';

/** What the messages need beside the entry. */
export interface ProblemContext {
  /** The highest version that is applied. */
  readonly highest: Version | undefined;
  /** Whether there is a file with a version at all. */
  readonly hasFiles: boolean;
  /** Whether `repair` can note that a file is gone. */
  readonly canMarkDeleted: boolean;
}

export const NO_WORD_FOR_DELETED =
  "Prisma's table has no word for a migration that was removed on purpose: bring it back, or delete its row by hand.";

/** Why `up` is refused because of an entry, and what to do; undefined where it is not. */
export function problemOf(entry: PlanEntry, context: ProblemContext): Problem | undefined {
  const { migration, row, state } = entry;
  const script = migration?.script ?? row?.script ?? '';
  const message = explain(entry, context);
  return message === undefined ? undefined : { script, state, message: `${script} ${message}` };
}

/** What is told of a run that failed half-way where the journal knows how far it came: `up` is not refused by it. */
export function resumableProblemOf({ migration, row, state }: PlanEntry, begun: BegunScript): Problem {
  const script = migration?.script ?? row?.script ?? '';
  const message = `${script} ended half-way${row ? on(row) : ''}, and what it had done stays: ${howFar(begun)} The next \`up\` goes on where it stopped. Where a statement failed, correct that first, or what it met in the database. ${ANEW}`;
  return { script, state, message };
}

/**
 * What is told of a script that the journal knows and the history does not: whoever ran it was ended before it could
 * write that it failed.
 */
export function begunProblemOf({ migration, state }: PlanEntry, begun: BegunScript): Problem {
  const { script } = begun;
  const when = on({ installedOn: begun.startedAt });
  const start = `${script} failed half-way${when}: its run did not end. ${howFar(begun)}`;
  const command = migration?.kind === 'undo' ? 'undo' : 'up';
  const next =
    migration === undefined
      ? 'Its file is no longer there: bring it back, and `up` goes on where it stopped; or take back by hand what it had done, and run `repair`.'
      : `The next \`${command}\` goes on where it stopped. ${ANEW}`;
  return { script, state, message: `${start} ${next}` };
}

const ANEW = 'To begin anew instead, take back by hand what it had done; then run `repair`.';

function howFar({ done, undecided }: BegunScript): string {
  const kept =
    done === 0 ? '' : done === 1 ? 'Statement 1 took effect. ' : `Statements 1 to ${done} took effect. `;
  return undecided === undefined
    ? kept.trim()
    : `${kept}Of statement ${undecided.statement} (line ${undecided.line}) no answer came.`;
}

function explain({ migration, row, state }: PlanEntry, context: ProblemContext): string | undefined {
  switch (state) {
    case 'CHANGED':
      return migration && row && explainChange(migration, row);
    case 'MISSING':
      if (row?.version === undefined) return undefined;
      return `was applied${on(row)} and is no longer there. ${
        context.hasFiles
          ? context.canMarkDeleted
            ? 'Restore the file; if it was removed on purpose, run `repair` to note that.'
            : NO_WORD_FOR_DELETED
          : 'No file with a version was found at all: see that `directories` names the right place.'
      }`;
    case 'FAILED':
      return `failed half-way${row && on(row)}, and what it had done stays. Take that back by hand, correct it, run \`repair\`, then \`up\`: it begins anew.`;
    case 'MISSING_FAILED':
      return `failed half-way${row && on(row)}, and the file is no longer there. Restore it to see what it did and take that back by hand; then run \`repair\`.`;
    case 'OUT_OF_ORDER_PENDING':
      return `is not applied, and version ${context.highest?.text} already is. Give it a higher version, or run \`up --out-of-order\` if it does not matter which comes first.`;
    default:
      return undefined;
  }
}

function explainChange(...[migration, row]: Parameters<typeof differenceOf>): string | undefined {
  const difference = differenceOf(migration, row);
  if (difference === undefined) return undefined;
  const { what, applied, found } = difference;
  const how =
    what === 'checksum'
      ? `was edited after it was applied${on(row)}: its checksum was ${applied} and is ${found}.`
      : `is not what was applied${on(row)} as version ${row.version?.text}: its ${what} was ${applied} and is ${found}.`;
  return `${how} Restore it and put the change into a new version; if the database has what the file says now, run \`repair\`.`;
}

/** The day, as the database has it in UTC; MySQL may hold a date that is none. */
function on({ installedOn }: Pick<AppliedMigration, 'installedOn'>): string {
  return Number.isNaN(installedOn.getTime()) ? '' : ` on ${installedOn.toISOString().slice(0, 10)}`;
}
