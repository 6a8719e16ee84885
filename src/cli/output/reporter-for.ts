import type { Clock } from '../../core/index.js';
import type { Settings } from '../settings/resolve-settings.js';
import type { Terminal } from '../terminal.js';
import { HumanReporter } from './human-reporter.js';
import { JsonReporter } from './json-reporter.js';
import { ProgressBar, ProgressLines } from './progress.js';
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
export function reporterFor({ terminal, isJson, command, clock, settings }: ReporterOptions): Reporter {
  const withoutSecrets = secretsHidden(settings);
  if (isJson) return new JsonReporter(terminal.out, command, withoutSecrets);
  const { err } = terminal;
  const progress = err.isTerminal ? new ProgressBar(err, clock) : new ProgressLines(err, clock);
  return new HumanReporter(terminal, progress, withoutSecrets);
}
