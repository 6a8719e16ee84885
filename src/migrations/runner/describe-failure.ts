import type { HoldfastError } from '../../core/index.js';
import {
  LockLostError,
  MigrationFailedError,
  MigrationInterruptedError,
  MigrationWarningError,
  VerifyFailedError,
} from '../errors.js';
import type { AppliedScript } from '../migrator.js';
import { abridge } from '../sql/abridge.js';
import type { HiddenValues } from './hide-values.js';
import type { ScriptFailure } from './script-problem.js';

/** The run that a script failed in. */
export interface RunStory {
  readonly script: string;
  /** What this run had done before. */
  readonly applied: readonly Pick<AppliedScript, 'script'>[];
  /** What it did not come to. */
  readonly left: readonly string[];
  /** What was sent while the script ran, of which nobody knows either where nobody knows what became of the script. */
  readonly ahead?: string | undefined;
  readonly verb: 'applied' | 'undone' | 'tried';
  /** Whether it was asked to stop at the boundary before the script, which is no failure of that. Default: false. */
  readonly stoppedBefore?: boolean;
  /** What must not be shown. */
  readonly hidden: HiddenValues;
}

const LISTED = 5;

/** The error that the caller gets: where, what, what is left in the database, what this run did, and the next step. */
export function describeFailure(failure: ScriptFailure, story: RunStory): HoldfastError {
  const { problem, effect } = failure;
  const { place } = problem;
  const { hidden } = story;
  const where = place ? `:${place.position.line}:${place.position.column}` : '';
  const lines = [
    story.stoppedBefore
      ? `Interrupted before ${story.script}: ${sentence(problem.message)}`
      : `${story.script}${where}: ${sentence(hidden.in(problem.message))}`,
    ...(place?.text ? [`  ${abridge(hidden.in(place.text))}`] : []),
    story.stoppedBefore ? '' : ofCommand(failure.left.trim(), story),
    runSentence(story, effect),
    `Next: ${hidden.in(ofCommand(failure.next ?? problem.next ?? defaultNext(failure), story))}`,
  ];
  const message = lines.filter((line) => line !== '').join('\n');
  hidden.inError(problem);
  const details = { script: story.script, effect, cause: problem.cause };
  switch (problem.kind) {
    case 'failed':
      return new MigrationFailedError(message, { ...details, position: place?.position });
    case 'warning':
      return new MigrationWarningError(message, {
        ...details,
        warnings: problem.warnings.map((each) => ({ ...each, message: hidden.in(each.message) })),
      });
    case 'verify':
      return new VerifyFailedError(message, details);
    case 'lock lost':
      return new LockLostError(message, { cause: details.cause });
    case 'interrupted':
      return new MigrationInterruptedError(message, details);
  }
}

/** What is to be run again is what was run: whoever knows what went wrong does not know in which of them. */
function ofCommand(text: string, { verb }: RunStory): string {
  return verb === 'undone' ? text.replaceAll('`up`', '`undo`') : text;
}

function defaultNext({ problem, effect }: ScriptFailure): string {
  if (problem.isLost) return 'When the database can be reached again, run `up` again.';
  return effect === 'rolled back'
    ? 'Correct the file (or what it met in the database) and run `up` again.'
    : 'Correct the failed statement (or what it met in the database) and run `up` again.';
}

function runSentence(
  { script, applied, left, ahead, verb }: RunStory,
  effect: ScriptFailure['effect'],
): string {
  const done =
    applied.length === 0
      ? `Nothing else was ${verb} in this run.`
      : `This run had ${verb} before: ${list(applied.map(({ script }) => script))}.`;
  const isUnknown = effect === 'unknown' && ahead !== undefined;
  const both = isUnknown
    ? ` ${ahead} was with the server, too: where ${script} is ${verb}, it may be as well.`
    : '';
  const not = isUnknown ? left.filter((each) => each !== ahead) : left;
  return not.length === 0 ? `${done}${both}` : `${done}${both} Not ${verb}: ${list(not)}.`;
}

/** The first few names: `V1__a.sql, V2__b.sql and 498 more`. */
export function list(names: readonly string[]): string {
  const shown = names.slice(0, LISTED).join(', ');
  return names.length > LISTED ? `${shown} and ${names.length - LISTED} more` : shown;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
