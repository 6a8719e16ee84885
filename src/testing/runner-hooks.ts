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
