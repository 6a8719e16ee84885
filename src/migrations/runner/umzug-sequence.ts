import { loadUmzug } from './load-umzug.js';

/** One migration of a run. */
export interface SequenceStep {
  readonly script: string;
  readonly path: string;
  run(): Promise<void>;
}

export interface SequenceOptions {
  /** How many at most. Default: all. */
  readonly step: number | undefined;
}

/**
 * Has umzug run the steps in their order, up to `step` of them. It is loaded here and not at import, so that a command
 * which runs nothing does not wait for it.
 *
 * Its storage says that nothing was executed and keeps nothing: `plan()` has compared the files with the history, of
 * which umzug would hide what is no longer on disk, and each step writes its row inside its own transaction, where umzug
 * would write it afterwards. Its globs would put V10 before V2.
 */
export async function runSequence(steps: readonly SequenceStep[], options: SequenceOptions): Promise<void> {
  const { Umzug } = await loadUmzug();
  const umzug = new Umzug({
    migrations: steps.map((step) => ({ name: step.script, path: step.path, up: () => step.run() })),
    storage: {
      executed: () => Promise.resolve([]),
      logMigration: () => Promise.resolve(),
      unlogMigration: () => Promise.resolve(),
    },
    logger: undefined,
  });
  try {
    await umzug.up(options.step === undefined ? {} : { step: options.step });
  } catch (error) {
    // Wrapped in an error of umzug's, whose message repeats the one that it holds.
    const { migration, cause } = error as { migration?: unknown; cause?: unknown };
    throw migration === undefined ? error : cause;
  }
}
