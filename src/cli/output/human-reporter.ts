import { describeHolder } from './describe-holder.js';
import type { MigrationEvent } from '../../migrations/index.js';
import type { Outcome } from '../command.js';
import type { Terminal } from '../terminal.js';
import { failureText } from './failure-text.js';
import type { Progress } from './progress.js';
import type { Reporter } from './reporter.js';
import { count, duration, printable } from './text.js';

/** How long a wait for the lock may be before it is told that it is over. */
const NOTABLE_WAIT_MS = 500;

/** For a person, and for a log that a person reads. What was asked for goes to stdout, what is told beside it to stderr. */
export class HumanReporter implements Reporter {
  readonly #terminal: Terminal;
  readonly #progress: Progress;
  readonly #withoutSecrets: (text: string) => string;
  /** Each call of a migrator connects; where that leads to is told once. */
  #connectedTo = '';
  /** What callbacks tell once the run has failed: it comes after what the failure says, which is told at the end. */
  #afterFailure: string[] | undefined;

  constructor(terminal: Terminal, progress: Progress, withoutSecrets: (text: string) => string) {
    this.#terminal = terminal;
    this.#progress = progress;
    this.#withoutSecrets = withoutSecrets;
  }

  event(event: MigrationEvent): void {
    const { green, red, yellow, dim } = this.#terminal.out.colours;
    switch (event.kind) {
      case 'connected': {
        const place = `${event.database} (${event.server})`;
        if (place !== this.#connectedTo) this.#aside(dim(place));
        this.#connectedTo = place;
        break;
      }
      case 'waiting for lock':
        this.#aside(yellow(`Waiting for the lock: ${describeHolder(event.holder)}.`));
        break;
      case 'lock acquired':
        if (event.waitedMs >= NOTABLE_WAIT_MS) this.#aside(`Got the lock after ${duration(event.waitedMs)}.`);
        break;
      case 'planned':
        if (event.scripts.length > 0)
          this.#aside(`${count(event.scripts.length, 'migration')} to ${event.to}.`);
        break;
      case 'started':
      case 'progress':
        this.#progress.update(event);
        break;
      case 'warning': {
        const { level, code, message } = event.warning;
        this.#aside(yellow(`${event.script}:${event.line}: ${level} ${code}: ${message}`));
        break;
      }
      case 'note':
        this.#aside(`${event.script === undefined ? '' : `${event.script}: `}${event.message}`);
        break;
      case 'applied':
        this.#progress.end();
        this.#done(`${green('✓')} ${printable(event.script)}  ${dim(duration(event.executionTimeMs))}`);
        break;
      case 'failed':
        this.#progress.end();
        this.#done(`${red('✗')} ${printable(event.script)}`);
        this.#afterFailure ??= [];
        break;
      default:
        event satisfies never;
    }
  }

  outcome(outcome: Outcome): void {
    this.#progress.end();
    outcome.print(this.#terminal.out);
  }

  failure(error: unknown): void {
    this.#progress.end();
    const { err } = this.#terminal;
    err.line(this.#withoutSecrets(failureText(error, err.colours)));
    const after = this.#afterFailure ?? [];
    this.#afterFailure = undefined;
    for (const text of after) this.#aside(text);
  }

  #aside(text: string): void {
    if (this.#afterFailure) {
      this.#afterFailure.push(text);
      return;
    }
    this.#progress.hide();
    this.#terminal.err.line(this.#withoutSecrets(text));
    this.#progress.show();
  }

  #done(text: string): void {
    this.#terminal.out.line(text);
  }
}
