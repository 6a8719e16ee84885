import { processGlobal, readFunction } from '../core/index.js';
import {
  type AmbientScope,
  currentFrame,
  type Frame,
  type ManagedSource,
  runInFrame,
} from '../connection/index.js';
import { afterCommit, afterCompletion, afterRollback, Hooks } from '../transaction/index.js';
import { TransactionalError } from './errors.js';
import { state } from './state.js';

/** The hooks of calls that run without a transaction. */
const ownHooks = processGlobal('holdfast.typeorm-transactional-hooks/1', () => new WeakMap<Frame, Hooks>());

/**
 * Runs `cb` after the current transaction was committed; the transactional call resolves only after it. In a call that
 * runs without a transaction (NOT_SUPPORTED, NEVER, SUPPORTS) it runs when the call has resolved. What a hook throws
 * is logged and changes nothing.
 *
 * Throws {@link TransactionalError} outside any transactional call.
 *
 * @example
 * ```ts
 * runOnTransactionCommit(() => this.events.emit('order placed', order.id));
 * ```
 */
export function runOnTransactionCommit(cb: () => void): void {
  const hooks = register('commit', cb);
  if (hooks) hooks.add('after commit', () => cb());
  else afterCommit(() => cb());
}

/**
 * Runs `cb` with the error after the current transaction was rolled back, or when a call without a transaction has
 * rejected. Otherwise as {@link runOnTransactionCommit}.
 *
 * @example
 * ```ts
 * runOnTransactionRollback((error) => this.metrics.count('orders lost', error.name));
 * ```
 */
export function runOnTransactionRollback(cb: (e: Error) => void): void {
  const hooks = register('rollback', cb);
  if (hooks) hooks.add('after rollback', (_, error) => cb(error as Error));
  else afterRollback((error) => cb(error as Error));
}

/**
 * Runs `cb` when the current transaction, or the call without one, has ended: with the error, where there was one.
 * Otherwise as {@link runOnTransactionCommit}.
 *
 * @example
 * ```ts
 * runOnTransactionComplete((error) => this.metrics.count(error ? 'lost' : 'placed'));
 * ```
 */
export function runOnTransactionComplete(cb: (e: Error | undefined) => void): void {
  const hooks = register('complete', cb);
  if (hooks) hooks.add('after completion', (_, error) => cb(error as Error | undefined));
  else afterCompletion((_, error) => cb(error as Error | undefined));
}

/** Runs work without a transaction of `source`, with hooks of its own. */
export async function runWithOwnHooks<T>(
  call: { readonly source: ManagedSource; readonly name: string },
  work: () => T | PromiseLike<T>,
): Promise<T> {
  const hooks = new Hooks(call.source);
  const frame: Frame = { parent: currentFrame(), source: call.source, scope: undefined };
  ownHooks.set(frame, hooks);
  const end = (): void => void ownHooks.delete(frame);
  let value: T;
  try {
    value = await runInFrame(frame, work);
  } catch (error) {
    end();
    await hooks.runAfter({ completion: 'rolled back', error }, call.name);
    throw error;
  }
  end();
  await hooks.runAfter({ completion: 'committed' }, call.name);
  return value;
}

type Kind = 'commit' | 'rollback' | 'complete';

/** Answers the hooks of a call without a transaction; undefined when holdfast knows where the hook belongs. */
function register(kind: Kind, cb: (...args: never[]) => void): Hooks | undefined {
  readFunction()(cb, `the callback (${kind})`);
  const place = nearestPlace();
  if (!place) {
    throw new TransactionalError(
      `A ${kind} hook was registered outside any transactional call, so there is nothing whose end it could wait for. ` +
        'Register it in a @Transactional() method, or inside runInTransaction().',
    );
  }
  warnOfLeak(place, kind);
  return place instanceof Hooks ? place : undefined;
}

/** A call without a transaction, a transaction, or the frame of a hook, from which others run at once. */
function nearestPlace(): Hooks | AmbientScope | Frame | undefined {
  for (let frame = currentFrame(); frame?.source; frame = frame.parent) {
    const place = ownHooks.get(frame) ?? frame.scope ?? (frame.alsoAwait && frame);
    if (place) return place;
  }
  return undefined;
}

const registered = new WeakMap<object, Map<Kind, number>>();

function warnOfLeak(place: object, kind: Kind): void {
  let counts = registered.get(place);
  if (!counts) registered.set(place, (counts = new Map()));
  const count = (counts.get(kind) ?? 0) + 1;
  counts.set(kind, count);
  const { maxHookHandlers } = state;
  if (maxHookHandlers === 0 || count !== maxHookHandlers + 1) return;
  process.emitWarning(
    `Possible leak: ${count} ${kind} hooks were registered in one transaction. ` +
      'If that is meant, raise maxHookHandlers in initializeTransactionalContext().',
    'MaxListenersExceededWarning',
  );
}
