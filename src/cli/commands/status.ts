import type { MigrationState, StatusEntry, StatusResult } from '../../migrations/index.js';
import type { CliCommand } from '../command.js';
import type { ExitCode } from '../exit-codes.js';
import { describeHolder } from '../output/describe-holder.js';
import { printProblems } from '../output/problems.js';
import { type Column, printTable } from '../output/table.js';
import { count, duration, printable, timestamp } from '../output/text.js';
import type { Colours, Output } from '../terminal.js';

export const status: CliCommand = {
  name: 'status',
  summary:
    'show every migration and its state; exit code 2 when some are pending, 5 when files and history disagree',
  async run(task) {
    const result = await task.withMigrator((migrator) => migrator.status());
    return { exitCode: exitCodeFor(result), result, print: (out) => print(out, result) };
  },
};

function exitCodeFor({ pending, owed, problems }: StatusResult): ExitCode {
  if (problems.length > 0) return 5;
  return pending.length + owed.length > 0 ? 2 : 0;
}

function print(out: Output, result: StatusResult): void {
  const { entries, pending, owed, runBy, problems, version } = result;
  if (entries.length > 0) {
    printTable(out, entries, columnsFor(out.colours));
    out.line();
  }
  printProblems(out, problems);
  for (const { script, state } of entries)
    if (state === 'RUNNING')
      out.line(printable(`${script} is being run now; the lock is ${describeHolder(runBy)}.`));
  for (const moment of owed)
    out.line(`${moment} failed after what it belongs to was applied: the next \`up\` runs it again.`);
  const at = version === undefined ? 'has no migration applied' : `is at version ${version}`;
  const next =
    pending.length > 0 ? `${count(pending.length, 'migration')} pending` : nothing(problems.length);
  out.line(printable(`${result.database} ${at}; ${next}.`));
}

function nothing(problems: number): string {
  return problems > 0 ? '`up` waits until what is above is settled' : 'nothing is pending';
}

function columnsFor(colours: Colours): readonly Column<StatusEntry>[] {
  return [
    { title: 'Version', text: ({ version, kind }) => version ?? (kind === 'repeatable' ? 'repeatable' : '') },
    { title: 'Description', text: ({ description }) => description, flexible: true },
    {
      title: 'State',
      text: ({ state }) => state,
      colour: (text, { state }) => colourOf(state, colours)(text),
    },
    {
      title: 'Applied on (UTC)',
      text: ({ installedOn }) => (installedOn ? timestamp(installedOn) : ''),
      dropOrder: 2,
    },
    { title: 'By', text: ({ installedBy }) => installedBy ?? '', dropOrder: 4 },
    {
      title: 'Took',
      text: ({ executionTimeMs }) => (executionTimeMs === undefined ? '' : duration(executionTimeMs)),
      dropOrder: 3,
    },
    { title: 'Script', text: ({ script }) => script, dropOrder: 5 },
  ];
}

const GOOD: readonly MigrationState[] = ['SUCCESS', 'OUT_OF_ORDER', 'BASELINE'];
const NEXT: readonly MigrationState[] = ['PENDING', 'RUNNING', 'OUTDATED', 'UNDONE'];
const BAD: readonly MigrationState[] = [
  'FAILED',
  'MISSING',
  'MISSING_FAILED',
  'FUTURE_FAILED',
  'CHANGED',
  'OUT_OF_ORDER_PENDING',
];

function colourOf(state: MigrationState, { green, yellow, red, dim }: Colours): (text: string) => string {
  if (GOOD.includes(state)) return green;
  if (NEXT.includes(state)) return yellow;
  return BAD.includes(state) ? red : dim;
}
