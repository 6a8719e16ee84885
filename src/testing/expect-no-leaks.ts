import {
  invalid,
  optional,
  type Reader,
  readDurationMs,
  readFunction,
  readOptions,
  withDefault,
} from '../core/index.js';
import type { ManagedPool } from '../connection/index.js';
import { registerLast } from './jest-circus.js';
import { LeakWatch } from './leak-watch.js';
import { LeakedConnectionError } from './leaked-connection-error.js';
import { afterTest, type RegisterHook, runnerHooks } from './runner-hooks.js';

/** Options of {@link expectNoLeaks}. */
export interface ExpectNoLeaksOptions {
  /** The pools that are looked at. Default: every managed one, those included that a test itself manages. */
  readonly pools?: readonly ManagedPool[];
  /** How long the end of a test waits for statements of it that still run, in milliseconds. Default: 1000. */
  readonly graceMs?: number;
  /** Of the runner, where it has no global one: `node:test`, vitest without `globals`. Together with `afterEach`. */
  readonly beforeEach?: RegisterHook;
  /** See `beforeEach`. */
  readonly afterEach?: RegisterHook;
}

interface ParsedOptions {
  readonly pools: readonly ManagedPool[] | undefined;
  readonly graceMs: number;
  readonly beforeEach: RegisterHook | undefined;
  readonly afterEach: RegisterHook | undefined;
}

/** Tests of one process run one after the other: what is taken while one runs is that one's. */
let running: LeakWatch | undefined;

/**
 * Fails each test of the file, or of the `describe` that it is called in, that ends without giving back a connection
 * which it took: by the line that took it and its last statement. The connection is closed then, so that the next test
 * is not disturbed. What was there before the test, and what `allowHeld()` marks, may stay.
 *
 * Throws `InvalidOptionsError`, also where the runner has no global hooks and none are given, and `LeakedConnectionError`
 * under a jest that runs another runner than jest-circus. A test fails with `LeakedConnectionError`, and also where two tests run at once.
 *
 * @example
 * ```ts
 * expectNoLeaks();
 *
 * test('a report is made', async () => {
 *   await reports.export();
 * });
 * ```
 */
export function expectNoLeaks(options?: ExpectNoLeaksOptions): void {
  const parsed = parse(options);
  const { beforeEach, afterEach } = runnerHooks('expectNoLeaks', parsed);
  let own: LeakWatch | undefined;
  const look = async (): Promise<void> => {
    const watch = own;
    if (!watch || watch !== running) return;
    own = running = undefined;
    const leaked = await watch.end(parsed.graceMs);
    if (leaked) throw leaked;
  };
  const begin = async (test: unknown): Promise<void> => {
    if (own && own === running) throw atOnce();
    // Called in the file and in a describe of it, it is done once.
    if (running) return;
    own = running = new LeakWatch(parsed.pools);
    afterTest(test, look);
  };
  // Without parameters: jest would take one for a callback, and vitest for its fixtures.
  beforeEach(function (): Promise<void> {
    return begin(arguments[0]);
  });
  registerLast(() => void afterEach(look), { concurrent: refuseConcurrent, unobserved });
}

function refuseConcurrent(test: string): Error {
  return new LeakedConnectionError(
    `"${test}" is test.concurrent, which jest runs without the hooks of expectNoLeaks(): what it leaves out would go unnoticed. It was not run. Make it test(...).`,
  );
}

function unobserved(why: string): Error {
  return new LeakedConnectionError(`expectNoLeaks() ${why}`);
}

function atOnce(): Error {
  return new LeakedConnectionError(
    'expectNoLeaks() was asked for a second test while the first still ran, and cannot tell whose a connection is. ' +
      'Run the tests of this file one after the other (no describe.concurrent, no concurrency option).',
  );
}

const readPools: Reader<readonly ManagedPool[]> = (value, path) => {
  const isManaged = (pool: Partial<ManagedPool> | undefined): boolean =>
    typeof pool?.observe === 'function' && typeof pool.reclaim === 'function';
  if (!Array.isArray(value) || !(value as (Partial<ManagedPool> | undefined)[]).every(isManaged))
    throw invalid(path, value, 'an array of what managePool() answered');
  return value as ManagedPool[];
};

function parse(raw: ExpectNoLeaksOptions | undefined): ParsedOptions {
  return readOptions<ParsedOptions>(
    raw,
    {
      pools: optional(readPools),
      graceMs: withDefault(readDurationMs, 1000),
      beforeEach: optional(readFunction<RegisterHook>()),
      afterEach: optional(readFunction<RegisterHook>()),
    },
    'expectNoLeaks options',
  );
}
