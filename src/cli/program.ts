import { Command, CommanderError, Option } from 'commander';
import { nearest, systemClock } from '../core/index.js';
import type { CliCommand } from './command.js';
import { COMMANDS } from './commands/index.js';
import { type ExitCode, exitCodeOf } from './exit-codes.js';
import { runCommand } from './run-command.js';
import { SETTINGS } from './settings/settings-table.js';
import { type Host, type Terminal, terminalOf } from './terminal.js';
import { UsageError } from './usage-error.js';
import { reporterFor } from './output/reporter-for.js';

/** How the program was called. */
export interface Invocation {
  /** `holdfast` or `migrate`. */
  readonly name: string;
  readonly version: string;
  /** The arguments without the interpreter and the script. */
  readonly argv: readonly string[];
}

/** Runs the program and answers its exit code. Never rejects: whatever goes wrong was told to the user. */
export async function runProgram(invocation: Invocation, host: Host): Promise<ExitCode> {
  const terminal = terminalOf(host);
  let exitCode: ExitCode = 0;
  const program = programOf(invocation, {
    terminal,
    act: async (command, parsed) => {
      exitCode = await runCommand(command, parsed, { host, terminal, clock: systemClock });
    },
  });
  const flush = (): void => terminal.out.flush();
  process.once('exit', flush);
  let typed = '';
  program.hook('preSubcommand', (_, command) => void (typed = command.name()));
  try {
    await program.parseAsync(invocation.argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (error instanceof CommanderError && error.code === NO_COMMAND && asksForVersion(program)) {
      terminal.out.write(`${invocation.version}\n`);
      return 0;
    }
    const problem = error instanceof CommanderError ? usageErrorFrom(error, program, typed) : error;
    const isJson = invocation.argv.includes('--json');
    const reporter = await reporterFor({
      terminal,
      isJson,
      command: typed,
      clock: systemClock,
      settings: undefined,
    });
    const code = exitCodeOf(problem);
    reporter.failure(problem, code);
    return code;
  } finally {
    flush();
    process.off('exit', flush);
  }
}

/** What the parsed program is joined to. */
export interface Wiring {
  readonly terminal: Terminal;
  readonly act: (command: CliCommand, parsed: Command) => Promise<void>;
}

/** The program with its commands; `act` is called with the one that was parsed. */
export function programOf({ name }: Pick<Invocation, 'name'>, { terminal, act }: Wiring): Command {
  const program = new Command(name)
    .description('Applies migrations to PostgreSQL, MySQL and MariaDB: in order, checked, under a lock.')
    // Not commander's .version(), which prints and ends in the middle of `baseline --version 1` and of `up --version`.
    .option('-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this')
    .option('--config <file>', 'the configuration file (default: holdfast.config.* here or above)')
    .option('--json', 'print an object a line, the last one being the result')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => terminal.out.write(text),
      // What is wrong is told by the reporter: in one way to people, in another one with --json.
      writeErr: () => undefined,
      getOutHelpWidth: () => terminal.out.width ?? 100,
      getOutHasColors: () => terminal.out.colours.isColorSupported,
    })
    .exitOverride();
  for (const { flag, summary, repeatable } of SETTINGS) {
    const option = new Option(flag, summary);
    program.addOption(repeatable ? option.argParser(collect) : option);
  }
  for (const command of COMMANDS) {
    const declared = program.command(command.name).description(command.summary);
    for (const alias of command.aliases ?? []) declared.alias(alias);
    command.declare?.(declared);
    declared.action(() => {
      if (asksForVersion(program)) throw versionWithCommand(name, declared.name(), declared.args[0]);
      return act(command, declared);
    });
  }
  return program;
}

function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

/** Commander wants to print its help then. */
const NO_COMMAND = 'commander.help';

function asksForVersion(program: Command): boolean {
  return program.getOptionValue('version') === true;
}

/** The flag takes no value: what was meant as one is the first argument. */
function versionWithCommand(name: string, command: string, value = '1'): UsageError {
  const instead =
    command === 'baseline'
      ? `The version of a baseline is given without a flag: ${name} baseline ${value}`
      : `Options of ${command}: ${name} ${command} --help`;
  return new UsageError(
    `--version prints the version of ${name} and goes with no command; nothing was done.\n${instead}`,
  );
}

function usageErrorFrom(error: CommanderError, program: Command, typed: string): UsageError {
  const [, value] = /unknown option '--version=(.*)'/.exec(error.message) ?? [];
  if (value !== undefined && typed !== '') return versionWithCommand(program.name(), typed, value);
  const message = error.code === NO_COMMAND ? noCommand(program) : error.message.replace(/^error: /, '');
  return new UsageError(`${message}\nCommands and options: ${program.name()} --help`, { cause: error });
}

/** `help` of a command that there is not ends as no command does. */
function noCommand({ args: [first, asked], commands }: Command): string {
  if (first !== 'help' || asked === undefined) return 'No command was given.';
  const near = nearest(
    asked,
    commands.flatMap((command) => [command.name(), ...command.aliases()]),
  );
  return `unknown command '${asked}'${near === undefined ? '' : `\n(Did you mean ${near}?)`}`;
}
