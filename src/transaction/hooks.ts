import { describeError, getLogger } from '../core/index.js';
import { currentFrame, type ManagedSource, NO_SOURCE, runInFrame } from '../connection/index.js';
import { isPromise } from './returned-value.js';

/** How a transaction, or a nested part of one, ended. `unknown`: the connection was lost during COMMIT and nobody could say. */
export type Completion = 'committed' | 'rolled back' | 'unknown';

/** A callback of `beforeCommit` or `afterCommit`. */
export type Hook = () => unknown;
/** A callback of `afterRollback`. Gets what the caller is about to be told; `undefined` after `setRollbackOnly()`. */
export type RollbackHook = (error: unknown) => unknown;
/** A callback of `afterCompletion`. The error is that of {@link RollbackHook}; `undefined` when it committed. */
export type CompletionHook = (completion: Completion, error?: unknown) => unknown;

/** How a scope ended, for its hooks. */
export interface ScopeEnd {
  readonly completion: Completion;
  /** What the caller is about to be told. */
  readonly error?: unknown;
}

interface Entry {
  readonly moment: 'before commit' | 'after commit' | 'after rollback' | 'after completion';
  readonly run: CompletionHook;
}

/** The hooks of one scope, in the order of their registration. */
export class Hooks {
  #entries: Entry[] = [];
  /** How many have had their turn before the commit. */
  #prepared = 0;
  /** Whether a before-commit hook runs now. */
  checking = false;
  readonly #source: ManagedSource;

  constructor(source: ManagedSource) {
    this.#source = source;
  }

  get empty(): boolean {
    return this.#entries.length === 0;
  }

  /** Whether every before-commit hook that was registered up to now has run. */
  get prepared(): boolean {
    return this.#prepared === this.#entries.length;
  }

  has(moment: Entry['moment']): boolean {
    return this.#entries.some((entry) => entry.moment === moment);
  }

  add(moment: Entry['moment'], run: CompletionHook): void {
    this.#entries.push({ moment, run });
  }

  /** Moves every hook to the scope around: a savepoint's fate is its transaction's once it is released. */
  promoteTo(outer: Hooks): void {
    outer.#entries.push(...this.#entries.splice(0));
  }

  /** Runs the before-commit hooks that have not run yet, those they add included. The first that fails ends it: nothing is committed. */
  async runBeforeCommit(transaction: string): Promise<void> {
    while (!this.prepared) {
      const { moment, run } = this.#entries[this.#prepared++]!;
      if (moment !== 'before commit') continue;
      this.#source.record?.({ step: moment, name: transaction });
      this.checking = true;
      await run('committed');
      this.checking = false;
    }
  }

  /** Runs the hooks of this outcome one after the other. The outcome stands: one that fails is logged, the others still run. */
  async runAfter(end: ScopeEnd, transaction: string): Promise<void> {
    const wanted = { committed: 'after commit', 'rolled back': 'after rollback', unknown: undefined }[
      end.completion
    ];
    for (const { moment, run } of this.#entries.splice(0)) {
      if (moment !== wanted && moment !== 'after completion') continue;
      this.#source.record?.({ step: moment, name: transaction });
      await runHook(run, end, { moment, transaction });
    }
  }
}

/** Which hook it is, and of which transaction. */
interface HookPlace {
  readonly moment: string;
  /** `undefined`: it ran at once, outside a transaction. */
  readonly transaction: string | undefined;
}

/** Runs one hook, and those that it sets off; a failure is logged and goes no further. */
async function runHook(
  run: CompletionHook,
  { completion, error: reason }: ScopeEnd,
  about: HookPlace,
): Promise<void> {
  const followers = new Followers();
  try {
    // After a commit there may be an error as well (`commitOn`); it is none of the transaction's.
    await followers.during(() => (completion === 'committed' ? run(completion) : run(completion, reason)));
  } catch (error) {
    logFailedHook(error, completion, about);
  }
  await followers.ended();
}

export function logFailedHook(error: unknown, completion: Completion, about: HookPlace): void {
  getLogger().error(
    { error: describeError(error), ...about },
    about.transaction === undefined
      ? `holdfast: a hook (${about.moment}) failed that ran at once, outside a transaction`
      : `holdfast: a hook (${about.moment}) of "${about.transaction}" failed; the transaction is ${completion} all the same`,
  );
}

/**
 * Runs a hook at once, for there is no transaction that it could wait for. What a before-commit hook throws is for
 * whoever registers it, what it rejects with for the transactional call around.
 */
export function runAtOnce(moment: Entry['moment'], run: CompletionHook): void {
  if (moment === 'after rollback') return;
  let running: Promise<void>;
  if (moment === 'before commit') {
    const result = run('committed');
    if (!isPromise(result)) return;
    const check = Promise.resolve(result);
    // An after hook between here and the call waits for it instead.
    for (let frame = currentFrame(); frame?.source && !frame.alsoAwait; frame = frame.parent)
      if (frame.failsWith?.(check)) return;
    running = logged(check);
  } else {
    running = runHook(run, { completion: 'committed' }, { moment, transaction: undefined });
  }
  for (let frame = currentFrame(); frame?.source; frame = frame.parent) frame.alsoAwait?.(running);
}

/** Resolves when a before-commit hook that ran at once has settled; a failure is logged, where nobody else is told. */
function logged(check: Promise<unknown>): Promise<void> {
  const about = { moment: 'before commit', transaction: undefined };
  return check.then(
    () => undefined,
    (error: unknown) => logFailedHook(error, 'committed', about),
  );
}

/** The before-commit hooks that run at once in a call without a transaction, which waits for them and fails with them. */
export class Checks {
  #running: Promise<unknown>[] | undefined = [];

  readonly take = (check: Promise<unknown>): boolean => {
    if (!this.#running) return false;
    // It is heard of when the call's own work has settled.
    check.catch(() => {});
    this.#running.push(check);
    return true;
  };

  /** Settles as `work` does, or rejects with the first check that fails after `work` has resolved. */
  async after<T>(work: Promise<T>): Promise<T> {
    try {
      const value = await work;
      for (let check = this.#running?.shift(); check; check = this.#running?.shift()) await check;
      return value;
    } finally {
      this.abandon();
    }
  }

  /** From now on nobody waits. */
  abandon(): void {
    for (const check of this.#running ?? []) void logged(check);
    this.#running = undefined;
  }
}

/** The hooks that run at once because they were registered after the end, by a hook or a subscriber: whoever waits for that waits for them. */
export class Followers {
  #running: Promise<void>[] | undefined = [];

  /** Runs `work` and takes in the hooks that it sets off, until they have {@link ended}. */
  during<T>(work: () => T): T {
    const alsoAwait = (hook: Promise<void>): void => void this.#running?.push(hook);
    return runInFrame({ parent: currentFrame(), source: NO_SOURCE, scope: undefined, alsoAwait }, work);
  }

  /** Resolves when all have run; `undefined` where there were none. */
  ended(): Promise<void> | undefined {
    if (this.#running?.length) return this.#allOf(this.#running);
    this.#running = undefined;
    return undefined;
  }

  async #allOf(running: Promise<void>[]): Promise<void> {
    for (const hook of running) await hook;
    this.#running = undefined;
  }
}
