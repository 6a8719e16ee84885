import {
  invalid,
  type IsolationLevel,
  ISOLATION_LEVELS,
  optional,
  readDurationMs,
  type Reader,
  readFunction,
  readOneOf,
  readOptions,
  readString,
  withDefault,
} from '../core/index.js';
import {
  currentSharing,
  setSharing,
  TestTransactionError,
  UNSHAREABLE,
  type Unshareable,
} from '../connection/index.js';
import { registerLast } from './jest-circus.js';
import { afterTest, type RegisterHook, runnerHooks } from './runner-hooks.js';
import { TestSharing } from './test-sharing.js';

/** Options of {@link rollbackPerTest}. */
export interface RollbackPerTestOptions {
  /** The data sources that are rolled back. Default: every managed one, each in a transaction of its own. */
  readonly dataSource?: string | readonly string[];
  /**
   * What this file's tests may do without; without it each throws `TestTransactionError`. `'ISOLATION_LEVEL'`: the
   * application's levels have no effect. `'REQUIRES_NEW'`: inside a transaction it is a savepoint of it.
   * `'NOT_SUPPORTED'`: statements outside the transaction that they are called in run inside it. Default: none.
   */
  readonly allow?: readonly Unshareable[];
  /** The level of the outer transaction, which the application may then ask for. Default: the server's. */
  readonly isolationLevel?: IsolationLevel;
  /** How long work waits while another transaction is open on the one connection, in milliseconds. Default: 3000. */
  readonly turnTimeoutMs?: number;
  /** How long the end of a test waits for work that still runs before it is a failure, in milliseconds. Default: 1000. */
  readonly graceMs?: number;
  /** Of the runner, where it has no global one: `node:test`, vitest without `globals`. Together with `afterEach`. */
  readonly beforeEach?: RegisterHook;
  /** See `beforeEach`. */
  readonly afterEach?: RegisterHook;
}

interface ParsedOptions {
  readonly dataSource: readonly string[] | undefined;
  readonly allow: readonly Unshareable[];
  readonly isolationLevel: IsolationLevel | undefined;
  readonly turnTimeoutMs: number;
  readonly graceMs: number;
  readonly beforeEach: RegisterHook | undefined;
  readonly afterEach: RegisterHook | undefined;
}

/**
 * Runs each test of the file, or of the `describe` that it is called in, in one transaction that is rolled back: the
 * test's own statements and those of the whole application, HTTP requests included, through every ORM and driver of
 * the managed pools. The application's transactions become savepoints, and their hooks run when they end.
 * docs/testing.md says what differs from a database that commits.
 *
 * Throws `InvalidOptionsError`, also where the runner has no global hooks and none are given, and `TestTransactionError`
 * under a jest that runs another runner than jest-circus. A test fails with `TestTransactionError` when work of it still runs at its end, and when two tests run at once.
 *
 * @example
 * ```ts
 * rollbackPerTest();
 *
 * test('an order is stored', async () => {
 *   await request(app).post('/orders').send({ item: 'pen' }).expect(201);
 *   expect(await orders.count()).toBe(1);
 * });
 * ```
 */
export function rollbackPerTest(options?: RollbackPerTestOptions): void {
  const parsed = parse(options);
  const { beforeEach, afterEach } = runnerHooks('rollbackPerTest', parsed);
  let own: TestSharing | undefined;
  // A refused one stays in force while its tests run: what they do without their transaction would stay in the database.
  const rollBack = async (): Promise<void> => {
    if (!own || own.refusal) return;
    const sharing = own;
    own = undefined;
    await sharing.rollBack();
  };
  const begin = async (test: unknown): Promise<void> => {
    // The end of another test, for which its runner does not wait any longer.
    for (let left = running(); left?.ending && !left.refusal; left = running())
      await left.ending.catch(() => undefined);
    const other = running();
    if (other) {
      other.joined(afterTest(test, async () => other.left()));
      throw await refuse(other, other === own);
    }
    const sharing = new TestSharing({ ...parsed, sources: parsed.dataSource });
    sharing.joined(
      afterTest(test, async () => {
        sharing.left();
        // Where the runner gave up an afterEach that took too long, it goes on all the same.
        if (own === sharing) await rollBack();
        else await sharing.ending?.catch(() => undefined);
      }),
    );
    own = sharing;
    setSharing(sharing);
  };
  // Without parameters: jest would take one for a callback, and vitest for its fixtures.
  beforeEach(function (): Promise<void> {
    return begin(arguments[0]);
  });
  registerLast(() => void afterEach(rollBack), { concurrent: refuseConcurrent, unobserved });
}

/** The sharing in force; it may be one of the package's other copy. */
function running(): TestSharing | undefined {
  return currentSharing() as TestSharing | undefined;
}

function refuseConcurrent(test: string): Error {
  return new TestTransactionError(
    `"${test}" is test.concurrent, which jest runs without the hooks of rollbackPerTest(): what it writes would stay. It was not run. Make it test(...).`,
  );
}

function unobserved(why: string): Error {
  return new TestTransactionError(`rollbackPerTest() ${why}`);
}

const WHERE_ONE_AFTER_THE_OTHER =
  'Where they do: an afterEach hook failed after the test before, and the runner called no more of them, the one that rolls back among them. ' +
  'It is told of the end of a test all the same when beforeEach is the one of vitest or node:test itself, and not a function around it that keeps what the runner hands to hooks. ';

/** Ends a sharing that cannot go on: its tests are rolled back, and refused every further statement. */
async function refuse(running: TestSharing, isOwn: boolean): Promise<Error> {
  if (running.refusal) return running.refusal;
  const refusal = new TestTransactionError(
    isOwn
      ? 'rollbackPerTest() was asked for a second test while the first still ran. One connection cannot keep two tests apart: ' +
          'run the tests of this file one after the other (no test.concurrent, no describe.concurrent, no concurrency option, no subtests of node:test). ' +
          (running.hearsOfEnd ? '' : WHERE_ONE_AFTER_THE_OTHER) +
          'Nothing was kept, and no further statement of these tests is taken.'
      : 'rollbackPerTest() was called twice for one test. Call it once, at the top of the file or in the outermost describe that it is for.',
  );
  running.refuseItsTests(refusal);
  await running.end(0);
  return refusal;
}

const readNames: Reader<readonly string[]> = (value, path) =>
  (Array.isArray(value) ? (value as unknown[]) : [value]).map((name) => readString(name, path));

const readAllowed: Reader<readonly Unshareable[]> = (value, path) => {
  if (!Array.isArray(value)) throw invalid(path, value, `an array of ${UNSHAREABLE.join(', ')}`);
  return (value as unknown[]).map((item) => readOneOf(UNSHAREABLE)(item, path));
};

function parse(raw: RollbackPerTestOptions | undefined): ParsedOptions {
  return readOptions<ParsedOptions>(
    raw,
    {
      dataSource: optional(readNames),
      allow: withDefault(readAllowed, []),
      isolationLevel: optional(readOneOf(ISOLATION_LEVELS)),
      turnTimeoutMs: withDefault(readDurationMs, 3000),
      graceMs: withDefault(readDurationMs, 1000),
      beforeEach: optional(readFunction<RegisterHook>()),
      afterEach: optional(readFunction<RegisterHook>()),
    },
    'rollbackPerTest options',
  );
}
