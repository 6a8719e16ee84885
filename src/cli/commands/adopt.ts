import type { Adoptable } from '../../migrations/index.js';
import type { CliCommand } from '../command.js';
import { given } from '../flags.js';
import { count, printable } from '../output/text.js';
import { UsageError } from '../usage-error.js';

interface AdoptFlags {
  readonly from?: string;
  readonly table?: string;
  readonly column?: string;
}

export const adopt: CliCommand = {
  name: 'adopt',
  summary: 'take over what another tool has applied: flyway, prisma, typeorm, umzug or dbmate',
  declare: (command) =>
    command
      .option('--from <tool>', 'flyway, prisma, typeorm, umzug or dbmate')
      .option('--table <name>', 'their table, where it is not named as they name it')
      .option('--column <name>', "the column of umzug's table that holds the names, where it is not `name`"),
  async run(task) {
    const { from, table, column } = task.flags as AdoptFlags;
    const tool = await adoptable(from);
    const result = await task.withMigrator((migrator) =>
      migrator.adopt({ from: tool, ...given({ table, column }) }),
    );
    const { adopted, notes } = result;
    return {
      exitCode: 0,
      result,
      print(out) {
        for (const script of adopted) out.line(`${out.colours.green('✓')} ${printable(script)}`);
        for (const note of notes) out.line(`${out.colours.yellow('!')} ${printable(note)}`);
        out.line(`${count(adopted.length, 'migration')} taken over from ${tool}.`);
      },
    };
  },
};

async function adoptable(from: string | undefined): Promise<Adoptable> {
  const { ADOPTABLE } = await import('../../migrations/index.js');
  const found = ADOPTABLE.find((tool) => tool === from);
  if (found) return found;
  const allowed = `one of ${ADOPTABLE.join(', ')}`;
  throw new UsageError(
    from === undefined ? `adopt needs --from, ${allowed}.` : `--from must be ${allowed}, but is "${from}".`,
  );
}
