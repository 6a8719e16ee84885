import {
  choosePool,
  currentFrame,
  type Frame,
  frameOf,
  type ManagedSource,
  NO_SOURCE,
  resolveSource,
  runInFrame,
  runningTransactions,
} from '../connection/index.js';
import { type Call, start, type StartedCall } from './call.js';
import { CommitOutcomeUnknownError } from './errors.js';
import { Checks, type Completion, type ScopeEnd } from './hooks.js';
import { type ParsedRetry, rollsBackOn } from './options.js';
import { Opening } from './opening.js';
import { decide } from './propagation.js';
import { mismatch, outOfPlace, refuse, unavailable } from './refusal.js';
import { pause, pauseBeforeRepeat } from './retry.js';
import {
  type CallResult,
  callWork,
  passOn,
  type PlainResult,
  promiseOf,
  refuseLazyResult,
  unawaitedBeforeCommit,
  valueOf,
} from './returned-value.js';
import { refusedByShutdown } from './shutdown.js';
import type { TimeLimit } from './time-limit.js';
import { Transaction, type TransactionScope } from './transaction.js';
import { findParts, TransactionGroup } from './transaction-group.js';

/** Runs a transactional call: the only place where the propagation decision is carried out. */
export function runCall<T>(call: Call<T> & { readonly plainValue: 'wrapped' }): Promise<T>;
export function runCall<T>(call: Call<T>): T | Promise<T>;
export function runCall<T>(call: Call<T>): T | Promise<T> {
  const { dataSource, propagation } = call.options;
  if (typeof dataSource !== 'string') return runOnSeveral(call, dataSource);
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
      return withoutTransaction(call, NO_SOURCE);
    case 'outside':
      return withoutTransaction(call, source);
    case 'refuse closed':
      return refuse(call, scope!.closedError(), source);
    case 'refuse':
      return refuse(call, outOfPlace(call.name, source, scope), source);
  }
}

function begin<T>(call: Call<T>, source: ManagedSource): T | Promise<T> {
  const refused = unavailable(call, source) ?? refusedByShutdown(call.name, source);
  if (refused) return refuse(call, refused, source);
  const outer = currentFrame();
  const opening = new Opening(call.name, call.entry);
  const { isolationLevel, readOnly, allowImplicitCommit: allowsImplicitCommit = false, retry } = call.options;
  return runInside(call, retry, () => {
    const pool = choosePool(source, readOnly);
    const modes = { isolationLevel, readOnly, allowsImplicitCommit };
    const transaction = new Transaction({ name: call.name, source, pool, ...modes, outer, opening });
    runningTransactions.add(transaction);
    return transaction;
  });
}

/** {@link runCall} with several data sources: each has its part by the same table, and one that refuses refuses the call. */
function runOnSeveral<T>(call: Call<T>, names: readonly string[]): T | Promise<T> {
  const outer = currentFrame();
  const opening = new Opening(call.name, call.entry);
  const found = findParts(call, names);
  if ('refusal' in found) return refuse(call, found.refusal, ...found.sources);
  const { parts } = found;
  const open = (): TransactionGroup => new TransactionGroup(call, parts, { outer, opening });
  if (parts.every(({ action }) => action === 'plain' || action === 'outside'))
    return runInFrame(open().frame, () => withoutTransaction(call, NO_SOURCE));
  // What was done inside a transaction of another call's cannot be run again.
  const retry = parts.every(({ action }) => action === 'begin') ? call.options.retry : undefined;
  return runInside(call, retry, open);
}

/** What a call runs inside of: a transaction that it begins, or one on each of several data sources. */
type Unit = Transaction | TransactionGroup;

function runInside<T>(call: Call<T>, retry: ParsedRetry | undefined, open: () => Unit): T | Promise<T> {
  const first = open();
  const started = start(call, first.frame, first);
  if (isPassed(call, started.result)) {
    started.limit?.clear();
    return endAtOnce(first, started.result);
  }
  if (!retry) return finish(call, first, started);
  return (async () => {
    for (let attempt = 1, unit = first, run = started; ; attempt++) {
      let pauseMs: number | undefined;
      try {
        return await finish(call, unit, run);
      } catch (error) {
        pauseMs = pauseBeforeRepeat(error, { name: call.name, attempt, retry }, unit);
        if (pauseMs === undefined) throw error;
      }
      // Opened before the pause, so that a shutdown waits for it, and ends it.
      unit = open();
      try {
        await pause(pauseMs, unit);
      } catch (error) {
        await unit.end(error, 'rolled back');
        throw error;
      }
      run = start(call, unit.frame, unit);
    }
  })();
}

/** Waits for the method, then commits or rolls back. */
async function finish<T>(
  { name, options }: Call<T>,
  unit: Unit,
  { result, limit }: StartedCall<T>,
): Promise<T> {
  let completion: Completion = 'rolled back';
  let failure: unknown;
  try {
    let value: T | undefined;
    let thrown: { readonly error: unknown } | undefined;
    try {
      value = await unit.orAborted(promiseOf(result), limit);
      refuseLazyResult(value, name);
    } catch (error) {
      if (unit.broken || rollsBackOn(error, options)) {
        await unit.rollback(error);
        throw error;
      }
      thrown = { error };
      for (const scope of scopesOf(unit)) scope.thrown = thrown;
    }
    try {
      // Nothing may come between the last look and commit(), which closes the scope: it would be dropped.
      while (unit.preparesCommit) {
        await unit.orAborted(
          runInFrame(unit.frame, () => unit.prepareCommit()),
          limit,
        );
      }
    } catch (error) {
      await unit.rollback(error);
      throw error;
    }
    try {
      // The time limit holds for COMMIT as well: a server that never answers must not hold the caller for ever.
      completion = await unit.commit(limit);
    } catch (error) {
      if (error instanceof CommitOutcomeUnknownError) completion = 'unknown';
      throw error;
    }
    if (thrown) throw thrown.error;
    return value as T;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    limit?.clear();
    const telling = unit.end(failure, completion);
    if (telling) await telling;
  }
}

/** The transactions and savepoints that a call ends. */
function scopesOf(unit: Unit): readonly TransactionScope[] {
  return unit instanceof TransactionGroup ? unit.scopes : [unit.root];
}

/** Ends what was begun for a synchronous method, in which no statement can have been awaited. */
function endAtOnce<T>(unit: Unit, result: PlainResult<T>): T {
  if (unit instanceof TransactionGroup) return unit.endAtOnce(result);
  const { name, root } = unit;
  let completion: Completion = 'rolled back';
  let failure: unknown;
  try {
    const value = passOn(result, name);
    if (root.hooks.has('before commit')) throw unawaitedBeforeCommit(name);
    // Whatever it asked of the database without awaiting it is refused, and its asker is told.
    if (!root.asked) completion = 'committed';
    return value;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    root.noteEnd(completion);
    void unit.rollback().then(() => unit.tellOfEnd({ completion, error: failure }));
  }
}

function join<T>(call: Call<T>, scope: TransactionScope): T | Promise<T> {
  const { name, options } = call;
  const { transaction } = scope;
  const refused = mismatch(call, scope);
  if (refused) return refuse(call, refused, transaction.source);
  const frame: Frame = { parent: currentFrame(), source: transaction.source, scope, joinedBy: name };
  const { result, limit } = start(call, frame, transaction);
  const markFailed = (error: unknown): void => {
    if (rollsBackOn(error, options)) scope.setRollbackOnly({ by: name, cause: error, requested: false });
  };
  if (isPassed(call, result)) {
    limit?.clear();
    try {
      return passOn(result, name);
    } catch (error) {
      markFailed(error);
      throw error;
    }
  }
  return whileInside(scope, { name, limit }, async () => {
    try {
      const value = await transaction.orAborted(promiseOf(result), limit);
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
  const { result, limit } = start(call, frame, transaction);
  if (isPassed(call, result)) {
    limit?.clear();
    let failure: unknown;
    try {
      const value = passOn(result, name);
      if (!scope.asked) scope.hooks.promoteTo(parent.hooks);
      return value;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      scope.noteEnd(scope.asked ? 'rolled back' : 'committed');
      const end: ScopeEnd = { completion: 'rolled back', error: failure };
      void transaction.rollbackToSavepoint(scope).then(() => scope.hooks.runAfter(end, name));
    }
  }
  return whileInside(parent, { name, limit }, async () => {
    let completion: Completion = 'rolled back';
    let failure: unknown;
    try {
      let value: T;
      try {
        value = await transaction.orAborted(promiseOf(result), limit);
        refuseLazyResult(value, name);
      } catch (error) {
        if (transaction.broken || rollsBackOn(error, options)) await transaction.rollbackToSavepoint(scope);
        else {
          scope.thrown = { error };
          completion = await transaction.releaseSavepoint(scope, limit);
        }
        throw error;
      }
      completion = await transaction.releaseSavepoint(scope, limit);
      return value;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      scope.noteEnd(completion);
      if (completion === 'committed') scope.hooks.promoteTo(parent.hooks);
      else await scope.hooks.runAfter({ completion, error: failure }, name);
    }
  });
}

/** Lets the scope know that a method runs inside it, until `wait` is over. */
async function whileInside<T>(
  scope: TransactionScope,
  { name, limit }: { name: string; limit: TimeLimit | undefined },
  wait: () => Promise<T>,
): Promise<T> {
  const visit = { name };
  scope.inside.add(visit);
  try {
    return await wait();
  } finally {
    limit?.clear();
    scope.inside.delete(visit);
  }
}

/** Runs a call as it is, outside a transaction of `source`. */
function withoutTransaction<T>(call: Call<T>, source: NonNullable<Frame['source']>): T | Promise<T> {
  const checks = new Checks();
  const frame: Frame = { parent: currentFrame(), source, scope: undefined, failsWith: checks.take };
  const result = runInFrame(frame, () => callWork(call.work));
  if (!isPassed(call, result)) return checks.after(promiseOf(result));
  checks.abandon();
  return valueOf(result);
}

function isPassed<T>({ plainValue }: Call<T>, result: CallResult<T>): result is PlainResult<T> {
  return plainValue === 'passed' && result.kind !== 'promise';
}
