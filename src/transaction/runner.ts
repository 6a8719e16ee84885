import {
  codeOf,
  delay,
  describeError,
  errorChain,
  getLogger,
  systemClock,
  type Timer,
} from '../core/index.js';
import {
  choosePool,
  currentFrame,
  type Frame,
  frameOf,
  type ManagedSource,
  resolveSource,
  runInFrame,
  runningTransactions,
} from '../connection/index.js';
import {
  CommitOutcomeUnknownError,
  IsolationMismatchError,
  PropagationError,
  ReadOnlyMismatchError,
  TransactionTimeoutError,
} from './errors.js';
import type { Completion } from './hooks.js';
import { type ParsedOptions, rollsBackOn } from './options.js';
import { decide } from './propagation.js';
import { type Outcome, promiseOf, refuseLazyResult, settle } from './returned-value.js';
import { Transaction, type TransactionScope } from './transaction.js';

/** One transactional call. */
export interface Call<T> {
  readonly name: string;
  readonly options: ParsedOptions;
  readonly work: () => T | PromiseLike<T>;
  /**
   * What becomes of a plain value. `wrapped` answers a promise of it. `passed` hands it through as it is, for a
   * synchronous method of a class that is transactional as a whole: it cannot have awaited a statement.
   */
  readonly plainValue: 'wrapped' | 'passed';
}

/** Runs a transactional call: the only place where the propagation decision is carried out. */
export function runCall<T>(call: Call<T>): T | Promise<T> {
  const { dataSource, propagation } = call.options;
  const scope = frameOf(dataSource)?.scope as TransactionScope | undefined;
  const action = decide(propagation, scope ? (scope.closed ? 'closed' : 'active') : 'none');
  // What joins a transaction needs no living pool: that of a running one may have ended, or be managed no longer.
  const source = scope && action !== 'begin' ? scope.transaction.source : resolveSource(dataSource);
  switch (action) {
    case 'begin':
      return begin(call, source);
    case 'join':
      return join(call, scope!);
    case 'nest':
      return nest(call, scope!);
    case 'plain':
      return withoutTransaction(call);
    case 'outside':
      return runInFrame({ parent: currentFrame(), source, scope: undefined }, () => withoutTransaction(call));
    case 'refuse closed':
      throw scope!.closedError();
    case 'refuse':
      throw refusal(call.name, source, scope);
  }
}

function begin<T>(call: Call<T>, source: ManagedSource): T | Promise<T> {
  const outer = currentFrame();
  const attempt = (): { transaction: Transaction; outcome: Outcome<T> } => {
    const { isolationLevel, readOnly } = call.options;
    const transaction = new Transaction({
      name: call.name,
      source,
      pool: choosePool(source, readOnly),
      isolationLevel,
      readOnly,
      outer,
    });
    runningTransactions.add(transaction);
    return { transaction, outcome: runInFrame(transaction.frame, () => settle(call.work)) };
  };
  const first = attempt();
  if (call.plainValue === 'passed' && first.outcome.kind !== 'promise') {
    const { transaction } = first;
    return passOn(first.outcome, call.name, (completion) => {
      const { asked, hooks } = transaction.root;
      runningTransactions.delete(transaction);
      // Whatever it asked of the database without awaiting it is refused, and its asker is told.
      void transaction.rollback().then(() => hooks.runAfter(asked ? 'rolled back' : completion, call.name));
    });
  }
  const { retry } = call.options;
  if (!retry) return finish(call, first);
  return (async () => {
    for (let number = 1, run = first; ; number++, run = attempt()) {
      try {
        return await finish(call, run);
      } catch (error) {
        if (number >= retry.attempts || !isRetryable(error, call.options, run.transaction)) throw error;
        const longest = Math.min(retry.maxBackoffMs, retry.backoffMs * 2 ** (number - 1));
        // Two that deadlocked must not meet again at the same moment: anywhere in the upper half of the pause.
        await delay(systemClock, longest * (0.5 + Math.random() / 2));
      }
    }
  })();
}

/** Waits for the method, then commits or rolls back. */
async function finish<T>(
  { name, options }: Call<T>,
  run: { transaction: Transaction; outcome: Outcome<T> },
): Promise<T> {
  const { transaction, outcome } = run;
  const { hooks } = transaction.root;
  const timer = startTimer(transaction, name, options);
  let completion: Completion = 'rolled back';
  const complete = async (): Promise<void> => {
    try {
      if (transaction.preparesCommit) {
        await transaction.orAborted(runInFrame(transaction.frame, () => transaction.prepareCommit()));
      }
    } catch (error) {
      await transaction.rollback();
      throw error;
    }
    // The time limit holds for COMMIT as well: a server that never answers must not hold the caller for ever.
    completion = await transaction.commit();
  };
  try {
    let value: T;
    try {
      value = await transaction.orAborted(promiseOf(outcome));
      refuseLazyResult(value, name);
    } catch (error) {
      if (transaction.broken || rollsBackOn(error, options)) await transaction.rollback();
      else await complete();
      throw error;
    }
    await complete();
    return value;
  } catch (error) {
    if (error instanceof CommitOutcomeUnknownError) completion = 'unknown';
    throw error;
  } finally {
    timer?.clear();
    runningTransactions.delete(transaction);
    if (!hooks.empty) await hooks.runAfter(completion, name);
  }
}

function join<T>(call: Call<T>, scope: TransactionScope): T | Promise<T> {
  const { name, options } = call;
  checkJoin(call, scope);
  const frame: Frame = { parent: currentFrame(), source: scope.transaction.source, scope, joinedBy: name };
  const outcome = runInFrame(frame, () => settle(call.work));
  const markFailed = (error: unknown): void => {
    if (rollsBackOn(error, options)) scope.setRollbackOnly({ by: name, cause: error, requested: false });
  };
  if (call.plainValue === 'passed' && outcome.kind !== 'promise') {
    try {
      return passOn(outcome, name);
    } catch (error) {
      markFailed(error);
      throw error;
    }
  }
  return whileInside(call, scope, async () => {
    try {
      const value = await scope.transaction.orAborted(promiseOf(outcome));
      refuseLazyResult(value, name);
      return value;
    } catch (error) {
      markFailed(error);
      throw error;
    }
  });
}

function nest<T>(call: Call<T>, parent: TransactionScope): T | Promise<T> {
  const { name, options } = call;
  const { transaction } = parent;
  checkJoin(call, parent);
  const scope = transaction.nest(name, parent);
  const frame: Frame = { parent: currentFrame(), source: transaction.source, scope };
  const outcome = runInFrame(frame, () => settle(call.work));
  if (call.plainValue === 'passed' && outcome.kind !== 'promise') {
    return passOn(outcome, name, (completion) => {
      if (completion === 'committed' && !scope.asked) scope.hooks.promoteTo(parent.hooks);
      void transaction.rollbackToSavepoint(scope).then(() => scope.hooks.runAfter('rolled back', name));
    });
  }
  return whileInside(call, parent, async () => {
    let completion: Completion = 'rolled back';
    try {
      let value: T;
      try {
        value = await transaction.orAborted(promiseOf(outcome));
        refuseLazyResult(value, name);
      } catch (error) {
        if (transaction.broken || rollsBackOn(error, options)) await transaction.rollbackToSavepoint(scope);
        else completion = await transaction.releaseSavepoint(scope);
        throw error;
      }
      completion = await transaction.releaseSavepoint(scope);
      return value;
    } finally {
      if (completion === 'committed') scope.hooks.promoteTo(parent.hooks);
      else await scope.hooks.runAfter(completion, name);
    }
  });
}

/** Lets the scope know that a method runs inside it, and for how long it may. */
async function whileInside<T>(
  { name, options }: Call<T>,
  scope: TransactionScope,
  run: () => Promise<T>,
): Promise<T> {
  const visit = { name };
  const timer = startTimer(scope.transaction, name, options);
  scope.inside.add(visit);
  try {
    return await run();
  } finally {
    timer?.clear();
    scope.inside.delete(visit);
  }
}

function withoutTransaction<T>(call: Call<T>): T | Promise<T> {
  const outcome = settle(call.work);
  return call.plainValue === 'passed' && outcome.kind !== 'promise' ? unwrap(outcome) : promiseOf(outcome);
}

/** Hands a synchronous method's result through; `end` hears how it ended. */
function passOn<T>(
  outcome: Exclude<Outcome<T>, { kind: 'promise' }>,
  name: string,
  end?: (completion: Completion) => void,
): T {
  let completion: Completion = 'rolled back';
  try {
    const value = unwrap(outcome);
    refuseLazyResult(value, name);
    completion = 'committed';
    return value;
  } finally {
    end?.(completion);
  }
}

function unwrap<T>(outcome: Exclude<Outcome<T>, { kind: 'promise' }>): T {
  if (outcome.kind === 'error') throw outcome.error;
  return outcome.value;
}

function isRetryable(error: unknown, { retry }: ParsedOptions, { committed, dialect }: Transaction): boolean {
  // What is committed, or may be, must not be done twice.
  if (committed || error instanceof CommitOutcomeUnknownError) return false;
  if (!retry?.on) return errorChain(error).some((link) => dialect.retryableCodes.has(codeOf(link) ?? ''));
  try {
    return retry.on(error);
  } catch (failure) {
    getLogger().error(
      { error: describeError(failure) },
      'holdfast: a retry.on predicate threw; the transaction is not run again',
    );
    return false;
  }
}

function startTimer(transaction: Transaction, name: string, { timeoutMs }: ParsedOptions): Timer | undefined {
  if (timeoutMs === undefined) return undefined;
  return systemClock.setTimer(() => {
    transaction.abort(
      new TransactionTimeoutError(
        `"${name}" ran longer than its timeoutMs of ${timeoutMs}. What ran on the server was cancelled and the transaction is rolled back; ` +
          'statements that the method still sends are refused.',
        { cause: transaction.openedAt },
      ),
    );
  }, timeoutMs);
}

function checkJoin({ name, options }: Call<unknown>, scope: TransactionScope): void {
  const { transaction } = scope;
  const { isolationLevel, readOnly, propagation } = options;
  if (isolationLevel && isolationLevel !== transaction.isolationLevel) {
    throw new IsolationMismatchError(
      `"${name}" asks for ${isolationLevel}, but joins the transaction of "${transaction.name}", which runs at ` +
        `${transaction.isolationLevel ?? "the server's default level"}. Begin "${transaction.name}" with ${isolationLevel}, or make "${name}" REQUIRES_NEW.`,
    );
  }
  if (transaction.readOnly && !readOnly && propagation !== 'SUPPORTS') {
    throw new ReadOnlyMismatchError(
      `"${name}" may write, but joins the read-only transaction of "${transaction.name}". Mark "${name}" readOnly: true if it only reads, ` +
        `or drop readOnly from "${transaction.name}".`,
    );
  }
}

function refusal(name: string, source: ManagedSource, scope: TransactionScope | undefined): PropagationError {
  return new PropagationError(
    scope
      ? `"${name}" has propagation NEVER and was called inside the transaction of "${scope.transaction.name}". Call it outside, or through runOutsideTransaction().`
      : `"${name}" has propagation MANDATORY and was called outside a transaction of data source "${source.name}". ` +
          'Call it from a method that begins one, or make it REQUIRED.',
  );
}
