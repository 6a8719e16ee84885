import { describeError, getLogger } from '../core/index.js';

/** How a transaction, or a nested part of one, ended. `unknown`: the connection was lost during COMMIT and nobody could say. */
export type Completion = 'committed' | 'rolled back' | 'unknown';

/** A callback of `beforeCommit`, `afterCommit` or `afterRollback`. */
export type Hook = () => unknown;
/** A callback of `afterCompletion`. */
export type CompletionHook = (completion: Completion) => unknown;

interface Entry {
  readonly moment: 'before commit' | 'after commit' | 'after rollback' | 'after completion';
  readonly run: CompletionHook;
}

/** The hooks of one scope, in the order of their registration. */
export class Hooks {
  #entries: Entry[] = [];

  get empty(): boolean {
    return this.#entries.length === 0;
  }

  add(moment: Entry['moment'], run: CompletionHook): void {
    this.#entries.push({ moment, run });
  }

  /** Moves every hook to the scope around: a savepoint's fate is its transaction's once it is released. */
  promoteTo(outer: Hooks): void {
    outer.#entries.push(...this.#entries.splice(0));
  }

  /** Runs the before-commit hooks, those they add included. The first that fails ends it: nothing is committed. */
  async runBeforeCommit(): Promise<void> {
    for (let index = 0; index < this.#entries.length; index++) {
      const { moment, run } = this.#entries[index]!;
      if (moment === 'before commit') await run('committed');
    }
  }

  /** Runs the hooks of this outcome one after the other. The outcome stands: one that fails is logged, the others still run. */
  async runAfter(completion: Completion, transaction: string): Promise<void> {
    const wanted = { committed: 'after commit', 'rolled back': 'after rollback', unknown: undefined }[
      completion
    ];
    for (const { moment, run } of this.#entries.splice(0)) {
      if (moment !== wanted && moment !== 'after completion') continue;
      await runHook(run, completion, { moment, transaction });
    }
  }
}

/** Runs one hook; a failure is logged and goes no further. */
export async function runHook(run: CompletionHook, completion: Completion, about: HookPlace): Promise<void> {
  try {
    await run(completion);
  } catch (error) {
    logFailedHook(error, completion, about);
  }
}

/** Which hook it is, and of which transaction. */
export interface HookPlace {
  readonly moment: string;
  readonly transaction: string;
}

export function logFailedHook(error: unknown, completion: Completion, about: HookPlace): void {
  getLogger().error(
    { error: describeError(error), ...about },
    `holdfast: a hook (${about.moment}) of "${about.transaction}" failed; the transaction is ${completion} all the same`,
  );
}
