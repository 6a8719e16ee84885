import { type IsolationLevel, readFunction, readString } from '../core/index.js';
import {
  currentFrame,
  detachFrame,
  type Frame,
  frameOf,
  innermostFrame,
  resolveSource,
  runInFrame,
} from '../connection/index.js';
import { type CompletionHook, type Hook, type Hooks, type RollbackHook, runAtOnce } from './hooks.js';
import { isPromise } from './returned-value.js';
import type { TransactionScope } from './transaction.js';

/** The transaction that the running call belongs to. */
export interface CurrentTransaction {
  /** Unique in this process. */
  readonly id: string;
  /** The method that began it. */
  readonly name: string;
  readonly dataSource: string;
  /** 1 in the transaction itself, one more inside each NESTED call. */
  readonly depth: number;
  readonly readOnly: boolean;
  /** `undefined`: the server's default. */
  readonly isolationLevel: IsolationLevel | undefined;
  /**
   * Rolls this scope back when its method returns. Called by the method that opened the scope, its caller gets
   * the returned value; called by a method that joined, the opening method rejects with `UnexpectedRollbackError`.
   * Throws `TransactionClosedError` once the scope has ended.
   */
  setRollbackOnly(): void;
}

/**
 * The transaction that the running call belongs to, or `undefined` outside one, and once it has ended.
 *
 * @param dataSource The data source to look at. Default: whichever holds the innermost transaction.
 * @throws UnknownDataSourceError for a name that nobody manages, InvalidOptionsError for what is no name.
 *
 * @example
 * ```ts
 * logger.info({ tx: currentTransaction()?.id }, 'placing the order');
 * ```
 */
export function currentTransaction(dataSource?: string): CurrentTransaction | undefined {
  const frame = findFrame(dataSource);
  const scope = frame?.scope as TransactionScope | undefined;
  if (!frame || !scope || scope.closed) return undefined;
  const { id, name, source, readOnly, isolationLevel } = scope.transaction;
  return Object.freeze({
    id,
    name,
    dataSource: source.name,
    depth: scope.depth,
    readOnly,
    isolationLevel,
    setRollbackOnly() {
      if (scope.closed) throw scope.closedError();
      scope.setRollbackOnly({
        by: frame.joinedBy ?? scope.name,
        cause: undefined,
        requested: frame.joinedBy === undefined,
      });
    },
  });
}

/**
 * Runs `hook` before COMMIT, inside the transaction; what it throws rolls back. Hooks run one after the other in the
 * order of their registration and are awaited. Outside a transaction it runs at once: what it throws is thrown by
 * `beforeCommit` itself; what it rejects with, the transactional call that runs without a transaction (`SUPPORTS`,
 * `NOT_SUPPORTED`, `NEVER`) rejects with once its method has resolved. Outside any such call that is only logged.
 *
 * @throws Outside a transaction, whatever `hook` throws.
 * @throws TransactionClosedError when the surrounding transaction has ended.
 * @throws InvalidOptionsError when `hook` is no function.
 *
 * @example
 * ```ts
 * beforeCommit(() => this.outbox.flush());
 * ```
 */
export function beforeCommit(hook: Hook): void {
  register('before commit', hook);
}

/**
 * Runs `hook` after the COMMIT of the outermost transaction; the transactional call resolves only after it. A
 * hook of a NESTED scope that is rolled back is dropped. What a hook throws is logged and changes nothing.
 * Outside a transaction the hook runs at once; where another after hook registers it, it is awaited with that one.
 *
 * @throws TransactionClosedError when the surrounding transaction has ended.
 * @throws InvalidOptionsError when `hook` is no function.
 *
 * @example
 * ```ts
 * afterCommit(() => this.mailer.send(receipt));
 * ```
 */
export function afterCommit(hook: Hook): void {
  register('after commit', hook);
}

/**
 * Runs `hook` after a rollback of the scope that registers it, or of one around it; the transactional call rejects
 * only after it. The hook gets the error that the call rejects with. What a hook throws is logged and changes nothing.
 * Outside a transaction there is no rollback, so it never runs.
 *
 * @throws TransactionClosedError when the surrounding transaction has ended.
 * @throws InvalidOptionsError when `hook` is no function.
 *
 * @example
 * ```ts
 * const file = await this.files.write(upload);
 * afterRollback(() => this.files.remove(file));
 * ```
 */
export function afterRollback(hook: RollbackHook): void {
  readFunction()(hook, 'the hook (after rollback)');
  register('after rollback', (_, error) => hook(error));
}

/**
 * Runs `hook` with the outcome, whichever it is: `committed`, `rolled back`, or `unknown` when the connection was
 * lost during COMMIT and nobody could say; unless it is `committed`, the error that the call rejects with comes
 * second. It is awaited; what it throws is logged and changes nothing. A NESTED scope that is rolled back completes on
 * its own, before the transaction around it. Outside a transaction the hook runs at once, with `committed`.
 *
 * @throws TransactionClosedError when the surrounding transaction has ended.
 * @throws InvalidOptionsError when `hook` is no function.
 *
 * @example
 * ```ts
 * afterCompletion((outcome) => this.metrics.count('orders', { outcome }));
 * ```
 */
export function afterCompletion(hook: CompletionHook): void {
  register('after completion', hook);
}

/**
 * Runs `work`, and whatever it starts, outside every transaction around the call: its statements commit by
 * themselves, on connections of their own. The way to start work that outlives a transactional method: then let
 * `work` answer no promise, which says that nobody waits for it, and it is in no self-deadlock.
 *
 * @throws InvalidOptionsError when `work` is no function, and whatever `work` throws.
 *
 * @example
 * ```ts
 * runOutsideTransaction(() => void this.metrics.record('order placed'));
 * ```
 */
export function runOutsideTransaction<T>(work: () => T): T {
  readFunction()(work, 'runOutsideTransaction(work)');
  const frame: Frame = { parent: currentFrame(), source: undefined, scope: undefined };
  return runInFrame(frame, () => {
    const result = work();
    // A promise that begins its work only when it is awaited must begin it here.
    if (isPromise(result)) {
      const promise = Promise.resolve(result);
      const detach = (): void => detachFrame(frame);
      promise.then(detach, detach);
      return promise as T;
    }
    detachFrame(frame);
    return result;
  });
}

function findFrame(dataSource: string | undefined): Frame | undefined {
  if (dataSource === undefined) return innermostFrame();
  const frame = frameOf(readString(dataSource, 'currentTransaction(dataSource)'));
  // A name that nobody manages is a mistake, not the absence of a transaction.
  if (!frame?.scope) resolveSource(dataSource);
  return frame;
}

function register(moment: Parameters<Hooks['add']>[0], hook: CompletionHook): void {
  readFunction()(hook, `the hook (${moment})`);
  const scope = innermostFrame()?.scope as TransactionScope | undefined;
  if (scope?.closed) throw scope.closedError();
  if (scope) scope.hooks.add(moment, hook);
  else runAtOnce(moment, hook);
}
