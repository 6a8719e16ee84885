import { HoldfastError, messageOf } from '../../core/index.js';
import type { MigrationEvent } from '../../migrations/index.js';
import type { Outcome } from '../command.js';
import type { ExitCode } from '../exit-codes.js';
import type { Output } from '../terminal.js';
import type { Reporter } from './reporter.js';
import { RunSoFar } from './run-so-far.js';

/** The fields of errors that their classes document. Others, such as a driver's, could hold data. */
const ERROR_FIELDS = ['script', 'effect', 'position', 'holder', 'warnings', 'retryable'] as const;

/**
 * `--json`: an object a line. Each has `kind` and `time`; the last one is of kind `result` or `error` and holds
 * `command` and `exitCode`. The fields of the others are those of `MigrationEvent`.
 */
export class JsonReporter implements Reporter {
  readonly #out: Output;
  readonly #command: string;
  readonly #withoutSecrets: (text: string) => string;
  readonly #run = new RunSoFar();

  constructor(out: Output, command: string, withoutSecrets: (text: string) => string) {
    this.#out = out;
    this.#command = command;
    this.#withoutSecrets = withoutSecrets;
  }

  event(event: MigrationEvent): void {
    this.#run.note(event);
    this.#write(event.kind, event);
  }

  outcome({ exitCode, result }: Outcome): void {
    this.#write('result', { command: this.#command, exitCode, ...result });
  }

  failure(error: unknown, exitCode: ExitCode): void {
    const { applied, notReached } = this.#run;
    const fields = error instanceof HoldfastError ? pick(error) : {};
    this.#write('error', {
      command: this.#command,
      exitCode,
      code: error instanceof HoldfastError ? error.code : 'UNEXPECTED',
      message: messageOf(error),
      ...fields,
      applied,
      notReached,
    });
  }

  #write(kind: string, fields: object): void {
    const line = JSON.stringify({ kind, time: new Date().toISOString(), ...fields });
    this.#out.line(this.#withoutSecrets(line));
  }
}

function pick(error: HoldfastError): object {
  const source = error as unknown as Record<string, unknown>;
  return Object.fromEntries(
    ERROR_FIELDS.filter((name) => source[name] !== undefined).map((name) => [name, source[name]]),
  );
}
