import { Argument, Option } from 'commander';
import type { CliCommand } from '../command.js';
import type { PoolTopFlags } from '../pool-top/run-pool-top.js';
import { durationMs } from '../settings/read-text.js';
import { APP_PASSWORD_VARIABLE } from '../settings/settings-table.js';
import { UsageError } from '../usage-error.js';

const LEAST_MS = 250;

export const pool: CliCommand = {
  name: 'pool',
  summary: 'show who holds the connections of a pool and who waits for them, as `pool top`',
  declare: (command) =>
    command
      .addArgument(new Argument('<view>', 'top, the only one').choices(['top']))
      .option(
        '--app <address>',
        `the status page of an application; its password in ${APP_PASSWORD_VARIABLE}`,
      )
      .option('--once', 'print it once, as it does where there is no terminal')
      .addOption(
        new Option('--every <duration>', 'how often to look')
          .default(2000, '2s')
          .argParser((text) => intervalOf(text)),
      ),
  // Loaded where it is asked for: the other commands start without the pool monitor.
  run: async (task) => {
    const { runPoolTop } = await import('../pool-top/run-pool-top.js');
    return runPoolTop(task, task.flags as unknown as PoolTopFlags);
  },
};

function intervalOf(text: string): number {
  const ms = durationMs(text, '--every') as number;
  if (ms < LEAST_MS) throw new UsageError(`--every must be at least ${LEAST_MS}ms.`);
  return ms;
}
