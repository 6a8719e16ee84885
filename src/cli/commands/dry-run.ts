import type { DryRunScript, DryRunStatement, DryRunTable } from '../../migrations/index.js';
import type { Outcome, Task } from '../command.js';
import { type Column, printTable } from '../output/table.js';
import { count, printable } from '../output/text.js';
import type { Output } from '../terminal.js';

/** `up --dry-run`. */
export async function dryRun(task: Task, options: { to?: string; step?: number }): Promise<Outcome> {
  const result = await task.withInterruptibleMigrator((migrator, stop) =>
    migrator.dryRun({ ...options, ...stop }),
  );
  const { scripts } = result;
  const refused = scripts.flatMap(({ script, statements }) =>
    statements.filter((each) => each.refused).map(({ line, how }) => `${script}:${line}: ${how}`),
  );
  return {
    exitCode: refused.length > 0 ? 1 : 0,
    result: { dryRun: true, ...result },
    print(out) {
      if (scripts.length === 0) return out.line('Nothing to apply.');
      for (const script of scripts) printScript(out, script);
      if (refused.length > 0) {
        for (const each of refused) out.line(`${out.colours.red('✗')} ${printable(each)}`);
        out.line(`Dry run: \`up\` would fail at ${count(refused.length, 'statement')}. Nothing was changed.`);
        return;
      }
      out.line(`Dry run: ${count(scripts.length, 'migration')} would be applied. Nothing was changed.`);
    },
  };
}

function printScript(out: Output, { script, tables, statements }: DryRunScript): void {
  out.line(out.colours.bold(printable(script)));
  if (tables.length > 0) printTable(out, tables, TABLE_COLUMNS);
  if (statements.length > 0) printTable(out, statements, STATEMENT_COLUMNS);
  if (tables.length + statements.length === 0) out.line('touches no table');
  out.line();
}

const TABLE_COLUMNS: readonly Column<DryRunTable>[] = [
  { title: 'Table', text: ({ table }) => table, flexible: true },
  { title: 'Inserted', text: ({ inserted }) => numeral(inserted) },
  { title: 'Updated', text: ({ updated }) => numeral(updated) },
  { title: 'Deleted', text: ({ deleted }) => numeral(deleted) },
  { title: 'Strongest lock', text: ({ strongestLock }) => strongestLock ?? '' },
];

const STATEMENT_COLUMNS: readonly Column<DryRunStatement>[] = [
  { title: 'Line', text: ({ line }) => String(line) },
  { title: 'How', text: ({ how }) => how },
  { title: 'Statement', text: ({ text }) => text, flexible: true },
];

const numeral = (value: number): string => (value === 0 ? '' : value.toLocaleString('en-US'));
