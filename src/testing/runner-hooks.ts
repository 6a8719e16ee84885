import { InvalidOptionsError } from '../core/index.js';

/** What registers a hook: `beforeEach` and `afterEach` of jest, vitest or node:test. */
export type RegisterHook = (hook: () => Promise<void>) => unknown;

interface RunnerHooks {
  readonly beforeEach: RegisterHook;
  readonly afterEach: RegisterHook;
}

/** The hooks that were handed in, or the runner's global ones. `asker` is the function that needs them, for messages. */
export function runnerHooks(
  asker: string,
  { beforeEach, afterEach }: { readonly [K in keyof RunnerHooks]: RunnerHooks[K] | undefined },
): RunnerHooks {
  if (beforeEach && afterEach) return { beforeEach, afterEach };
  if (beforeEach || afterEach) {
    throw new InvalidOptionsError(`${asker} takes beforeEach and afterEach together, or neither.`);
  }
  const globals = globalThis as Partial<RunnerHooks>;
  if (globals.beforeEach && globals.afterEach)
    return { beforeEach: globals.beforeEach, afterEach: globals.afterEach };
  throw new InvalidOptionsError(
    `${asker}() finds no global beforeEach and afterEach. Import them from the test runner and hand them in: ` +
      `import { afterEach, beforeEach } from 'node:test' (or 'vitest'); ${asker}({ beforeEach, afterEach }).`,
  );
}

/** What vitest and node:test hand to a beforeEach hook. */
interface RunningTest {
  /** vitest's. */
  readonly onTestFinished?: RegisterHook;
  /** node:test's. */
  readonly after?: RegisterHook;
}

/**
 * Runs `hook` at the end of the test whose beforeEach hook was given `test`, after the afterEach hooks: also where one of
 * them has failed and the runner called no more of them, which jest always does. Answers whether the runner can.
 */
export function afterTest(test: unknown, hook: () => Promise<void>): boolean {
  const { onTestFinished, after } = (test ?? {}) as RunningTest;
  const register = onTestFinished ?? after;
  register?.call(test, hook);
  return register !== undefined;
}
