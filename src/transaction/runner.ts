import type { Timer } from '../core/index.js';
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
import { type Call, start, type StartedCall } from './call.js';
import { CommitOutcomeUnknownError, UnsupportedReturnError } from './errors.js';
import type { Completion } from './hooks.js';
import { rollsBackOn } from './options.js';
import { Opening } from './opening.js';
import { decide } from './propagation.js';
import { mismatch, outOfPlace, refuse, unavailable } from './refusal.js';
import { isRetryable, pauseAfter } from './retry.js';
import {
  type CallResult,
  callWork,
  passOn,
  type PlainResult,
  promiseOf,
  refuseLazyResult,
  valueOf,
} from './returned-value.js';
import { Transaction, type TransactionScope } from './transaction.js';

/** Runs a transactional call: the only place where the propagation decision is carried out. */
export function runCall<T>(call: Call<T> & { readonly plainValue: 'wrapped' }): Promise<T>;
export function runCall<T>(call: Call<T>): T | Promise<T>;
export function runCall<T>(call: Call<T>): T | Promise<T> {
  const { dataSource, propagation } = call.options;
  const scope = frameOf(dataSource)?.scope as TransactionScope | undefined;
  const action = decide(propagation, scope ? (scope.closed ? 'closed' : 'active') : 'none');
  let source: ManagedSource;
  try {
    // What joins a transaction needs no living pool: that of a running one may have ended, or be managed no longer.
    source = scope && action !== 'begin' ? scope.transaction.source : resolveSource(dataSource);
  } catch (error) {
    return refuse(call, error as Error, { name: dataSource });
  }
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
      return refuse(call, scope!.closedError(), source);
    case 'refuse':
      return refuse(call, outOfPlace(call.name, source, scope), source);
  }
}

function begin<T>(call: Call<T>, source: ManagedSource): T | Promise<T> {
  const refused = unavailable(call, source);
  if (refused) return refuse(call, refused, source);
  const outer = currentFrame();
  const opening = new Opening(call.name, call.entry);
  const { isolationLevel, readOnly, retry } = call.options;
  const open = (): Transaction => {
    const pool = choosePool(source, readOnly);
    const asked = { name: call.name, source, pool, isolationLevel, readOnly, outer, opening };
    const transaction = new Transaction(asked);
    runningTransactions.add(transaction);
    return transaction;
  };
  const first = open();
  const started = start(call, first.frame, first);
  if (isPassed(call, started.result)) {
    started.timer?.clear();
    return endAtOnce(first, started.result);
  }
  if (!retry) return finish(call, first, started);
  return (async () => {
    for (let attempt = 1, transaction = first, run = started; ; attempt++) {
      try {
        return await finish(call, transaction, run);
      } catch (error) {
        if (attempt >= retry.attempts || !isRetryable(error, retry, transaction)) throw error;
      }
      // Opened before the pause, so that a shutdown waits for it, and ends it.
      transaction = open();
      try {
        await pauseAfter(attempt, retry, transaction);
      } catch (error) {
        runningTransactions.delete(transaction);
        throw error;
      }
      run = start(call, transaction.frame, transaction);
    }
  })();
}

/** Waits for the method, then commits or rolls back. */
async function finish<T>(
  { name, options }: Call<T>,
  transaction: Transaction,
  { result, timer }: StartedCall<T>,
): Promise<T> {
  let completion: Completion = 'rolled back';
  const complete = async (): Promise<void> => {
    try {
      // Nothing may come between the last look and commit(), which closes the scope: it would be dropped.
      while (transaction.preparesCommit) {
        await transaction.orAborted(runInFrame(transaction.frame, () => transaction.prepareCommit()));
      }
    } catch (error) {
      await transaction.rollback();
      throw error;
    }
    try {
      // The time limit holds for COMMIT as well: a server that never answers must not hold the caller for ever.
      completion = await transaction.commit();
    } catch (error) {
      if (error instanceof CommitOutcomeUnknownError) completion = 'unknown';
      throw error;
    }
  };
  try {
    let value: T;
    try {
      value = await transaction.orAborted(promiseOf(result));
      refuseLazyResult(value, name);
    } catch (error) {
      if (transaction.broken || rollsBackOn(error, options)) await transaction.rollback();
      else await complete();
      throw error;
    }
    await complete();
    return value;
  } finally {
    timer?.clear();
    transaction.root.noteEnd(completion);
    if (transaction.root.hooks.empty) runningTransactions.delete(transaction);
    else await runHooks(transaction, completion);
  }
}

/** Ends the transaction that was begun for a synchronous method, in which no statement can have been awaited. */
function endAtOnce<T>(transaction: Transaction, result: PlainResult<T>): T {
  const { name, root } = transaction;
  let completion: Completion = 'rolled back';
  try {
    const value = passOn(result, name);
    if (root.hooks.has('before commit')) {
      throw new UnsupportedReturnError(
        `"${name}" returned before its beforeCommit hook could run, and outside a transaction nobody waits for that; it was rolled back. ` +
          'Make it async, or call it inside a transaction.',
      );
    }
    // Whatever it asked of the database without awaiting it is refused, and its asker is told.
    if (!root.asked) completion = 'committed';
    return value;
  } finally {
    root.noteEnd(completion);
    void transaction.rollback().then(() => runHooks(transaction, completion));
  }
}

/** Runs the hooks of a transaction that has ended. Never rejects. */
async function runHooks(transaction: Transaction, completion: Completion): Promise<void> {
  runningTransactions.end(transaction);
  await transaction.root.hooks.runAfter(completion, transaction.name);
  runningTransactions.delete(transaction);
}

function join<T>(call: Call<T>, scope: TransactionScope): T | Promise<T> {
  const { name, options } = call;
  const { transaction } = scope;
  const refused = mismatch(call, scope);
  if (refused) return refuse(call, refused, transaction.source);
  const frame: Frame = { parent: currentFrame(), source: transaction.source, scope, joinedBy: name };
  const { result, timer } = start(call, frame, transaction);
  const markFailed = (error: unknown): void => {
    if (rollsBackOn(error, options)) scope.setRollbackOnly({ by: name, cause: error, requested: false });
  };
  if (isPassed(call, result)) {
    timer?.clear();
    try {
      return passOn(result, name);
    } catch (error) {
      markFailed(error);
      throw error;
    }
  }
  return whileInside(scope, { name, timer }, async () => {
    try {
      const value = await transaction.orAborted(promiseOf(result));
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
  const refused = mismatch(call, parent);
  if (refused) return refuse(call, refused, transaction.source);
  const scope = transaction.nest(name, parent);
  const frame: Frame = { parent: currentFrame(), source: transaction.source, scope };
  const { result, timer } = start(call, frame, transaction);
  if (isPassed(call, result)) {
    timer?.clear();
    try {
      const value = passOn(result, name);
      if (!scope.asked) scope.hooks.promoteTo(parent.hooks);
      return value;
    } finally {
      scope.noteEnd(scope.asked ? 'rolled back' : 'committed');
      void transaction.rollbackToSavepoint(scope).then(() => scope.hooks.runAfter('rolled back', name));
    }
  }
  return whileInside(parent, { name, timer }, async () => {
    let completion: Completion = 'rolled back';
    try {
      let value: T;
      try {
        value = await transaction.orAborted(promiseOf(result));
        refuseLazyResult(value, name);
      } catch (error) {
        if (transaction.broken || rollsBackOn(error, options)) await transaction.rollbackToSavepoint(scope);
        else completion = await transaction.releaseSavepoint(scope);
        throw error;
      }
      completion = await transaction.releaseSavepoint(scope);
      return value;
    } finally {
      scope.noteEnd(completion);
      if (completion === 'committed') scope.hooks.promoteTo(parent.hooks);
      else await scope.hooks.runAfter(completion, name);
    }
  });
}

/** Lets the scope know that a method runs inside it, until `wait` is over. */
async function whileInside<T>(
  scope: TransactionScope,
  { name, timer }: { name: string; timer: Timer | undefined },
  wait: () => Promise<T>,
): Promise<T> {
  const visit = { name };
  scope.inside.add(visit);
  try {
    return await wait();
  } finally {
    timer?.clear();
    scope.inside.delete(visit);
  }
}

function withoutTransaction<T>(call: Call<T>): T | Promise<T> {
  const result = callWork(call.work);
  return isPassed(call, result) ? valueOf(result) : promiseOf(result);
}

function isPassed<T>({ plainValue }: Call<T>, result: CallResult<T>): result is PlainResult<T> {
  return plainValue === 'passed' && result.kind !== 'promise';
}
