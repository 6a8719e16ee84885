import type { DoctorCheck } from '../../migrations/index.js';
import type { CliCommand, Task } from '../command.js';
import { printable } from '../output/text.js';
import type { Colours } from '../terminal.js';

export const doctor: CliCommand = {
  name: 'doctor',
  summary: 'check configuration, connection, rights, pooler and settings of the server',
  async run(task) {
    const { checks: found } = await task.withMigrator((migrator) => migrator.doctor());
    const checks = [configurationOf(task), ...found];
    const hasFailed = checks.some(({ result }) => result === 'failed');
    return {
      exitCode: hasFailed ? 1 : 0,
      result: { checks },
      print(out) {
        for (const { name, result, message } of checks)
          out.line(`${markOf(result, out.colours)} ${out.colours.bold(name)}: ${printable(message)}`);
      },
    };
  },
};

/** Where each option comes from; its value is nobody's business. */
function configurationOf({ settings }: Task): DoctorCheck {
  const sources = [...settings.sources].map(([path, source]) => `${path} by ${source}`);
  const file = settings.configFile ?? 'no configuration file';
  return {
    name: 'configuration',
    result: 'ok',
    message: [file, ...sources.filter((text) => !text.endsWith(` by ${file}`))].join('; '),
  };
}

function markOf(result: DoctorCheck['result'], { green, yellow, red }: Colours): string {
  return { ok: green('✓'), warning: yellow('!'), failed: red('✗') }[result];
}
