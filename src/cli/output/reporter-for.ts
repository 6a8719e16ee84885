import type { Clock } from '../../core/index.js';
import type { Settings } from '../settings/resolve-settings.js';
import type { Output, Terminal } from '../terminal.js';
import { HumanReporter } from './human-reporter.js';
import { JsonReporter } from './json-reporter.js';
import { type Progress, ProgressLines } from './progress.js';
import type { Reporter } from './reporter.js';
import { secretsHidden } from './without-secrets.js';

export interface ReporterOptions {
  readonly terminal: Terminal;
  readonly isJson: boolean;
  readonly command: string;
  readonly clock: Clock;
  readonly settings: Settings | undefined;
}

/** The reporter that the terminal and `--json` ask for. */
export async function reporterFor({
  terminal,
  isJson,
  command,
  clock,
  settings,
}: ReporterOptions): Promise<Reporter> {
  const withoutSecrets = secretsHidden(settings);
  if (isJson) return new JsonReporter(terminal.out, command, withoutSecrets);
  return new HumanReporter(terminal, await progressOn(terminal.err, clock), withoutSecrets);
}

/** A pipeline does not wait for the bar to be loaded. */
async function progressOn(err: Output, clock: Clock): Promise<Progress> {
  if (!err.isTerminal) return new ProgressLines(err, clock);
  const { ProgressBar } = await import('./progress-bar.js');
  return new ProgressBar(err, clock);
}
