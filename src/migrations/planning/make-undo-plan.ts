import type { AppliedMigration, ResolvedMigration } from '../migration.js';
import type { Problem } from '../migrator.js';
import { FOREIGN_TOOLS } from '../sources/foreign-code.js';
import { compareVersions, parseVersion, type Version, versionKey } from '../version.js';
import type { MakeUndoPlan, PlanUndoOptions, UndoStep } from './plan.js';
import { highestOf, readRuns, type Run } from './runs.js';
import { readTarget } from './target.js';

/** See {@link MakeUndoPlan}. */
export const planUndo: MakeUndoPlan = ({ resolved, applied, options = {} }) => {
  const runs = readRuns(applied);
  const undos = new Map(
    resolved.flatMap((each) =>
      each.kind === 'undo' && each.version !== undefined ? [[versionKey(each.version), each] as const] : [],
    ),
  );
  const known = resolved.filter(({ kind }) => kind === 'versioned' || kind === 'baseline');
  const highestFile = highestOf(known.map(({ version }) => version));
  const steps: UndoStep[] = [];
  const problems: Problem[] = failedUndos(runs.all);
  for (const { row, role } of chooseRuns(runs.all, known, options)) {
    const undo = row.version && undos.get(versionKey(row.version));
    const problem = explain(row, role, { undo, highestFile });
    if (problem !== undefined) problems.push(problem);
    else if (undo !== undefined) steps.push({ row, undo });
  }
  return { steps, problems };
};

/** What is applied, the last one first, whatever its version: what came last may stand on what came before. */
function chooseRuns(
  all: readonly Run[],
  known: readonly ResolvedMigration[],
  { to, step }: PlanUndoOptions,
): Run[] {
  const applied = all
    .filter(({ fate, role }) => fate === 'current' && (role === 'version' || role === 'baseline'))
    .toReversed();
  if (to === undefined) return applied.slice(0, step ?? 1);
  const target = readUndoTarget(to, [...known, ...applied.map(({ row }) => row)]);
  return applied.filter(({ row }) => compareVersions(row.version!, target) > 0).slice(0, step);
}

/** `0` is below every version: everything is undone. */
function readUndoTarget(to: string, known: Parameters<typeof readTarget>[1]): Version {
  const version = parseVersion(to);
  return versionKey(version) === '0' ? version : readTarget(to, known);
}

function failedUndos(all: readonly Run[]): Problem[] {
  return all
    .filter(({ role, fate, row }) => role === 'undo' && fate === 'current' && !row.success)
    .map(({ row: { script } }) => ({
      script,
      state: 'FAILED',
      message: `${script} failed half-way, and what it had done stays. Finish it by hand; then run \`repair\`.`,
    }));
}

interface Means {
  readonly undo: ResolvedMigration | undefined;
  readonly highestFile: Version | undefined;
}

function explain(
  row: AppliedMigration,
  role: Run['role'],
  { undo, highestFile }: Means,
): Problem | undefined {
  const { script, version, success } = row;
  if (role === 'baseline')
    return {
      script,
      state: 'BASELINE',
      message: `${script} is the baseline: what was there before it is not known, so that it cannot be undone.`,
    };
  if (!success)
    return {
      script,
      state: 'FAILED',
      message: `${script} failed half-way. Bring it to an end first: \`up\` says how.`,
    };
  if (version === undefined) return undefined;
  const file = `U${version.text}__${row.description.replaceAll(' ', '_')}.sql`;
  if (undo?.body.kind === 'code' && undo.body.writtenFor !== undefined) {
    const { what, given, call, page } = FOREIGN_TOOLS[undo.body.writtenFor];
    return {
      script,
      state: 'UNAVAILABLE',
      message: `${script} is ${what}: its \`down\` needs ${given}, which holdfast does not have. Write ${file}, or let \`down\` take a MigrationContext: \`${call}\` becomes \`context.sql(text)\`. ${page} shows both.`,
    };
  }
  if (undo !== undefined) return undefined;
  if (highestFile === undefined || compareVersions(version, highestFile) > 0)
    return {
      script,
      state: 'FUTURE',
      message: `${script} is not known here, and neither is what undoes it: run \`undo\` with the release that has it.`,
    };
  return {
    script,
    state: 'SUCCESS',
    message: `${script} has no undo script. Write ${file}, or the \`down\` of its own form.`,
  };
}
