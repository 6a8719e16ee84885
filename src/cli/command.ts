import type { Command } from 'commander';
import type { Migrator } from '../migrations/index.js';
import type { ExitCode } from './exit-codes.js';
import type { Settings } from './settings/resolve-settings.js';
import type { Host, Output, Terminal } from './terminal.js';

/** A command of the program; each has a file of its own in `commands/`. */
export interface CliCommand {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** A line of `--help`. */
  readonly summary: string;
  /** Adds the command's own arguments and options. */
  declare?(command: Command): void;
  run(task: Task): Promise<Outcome>;
}

/** What a command is given. */
export interface Task {
  readonly host: Host;
  readonly terminal: Terminal;
  readonly settings: Settings;
  /** The command's arguments, in order. */
  readonly args: readonly string[];
  /** The command's own options, as commander names them: `--dry-run` -> `dryRun`. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** Whether `--json` was given: nobody is asked anything then. */
  readonly isJson: boolean;
  /** Opens the migrator, hands it to `use` and closes it. */
  withMigrator<T>(use: (migrator: Migrator) => Promise<T>): Promise<T>;
  /** The same, with signals that Ctrl-C and SIGTERM abort. */
  withInterruptibleMigrator<T>(use: (migrator: Migrator, stop: StopSignals) => Promise<T>): Promise<T>;
}

/** As `UpOptions` and `UndoOptions` take them. */
export interface StopSignals {
  readonly signal: AbortSignal;
  readonly cancelSignal: AbortSignal;
}

/** What a command that did not throw ends with. */
export interface Outcome {
  readonly exitCode: ExitCode;
  /** The fields of the last line of `--json`, beside `kind`, `command` and `exitCode`. */
  readonly result: object;
  /** Writes it for a person. */
  print(out: Output): void;
}
