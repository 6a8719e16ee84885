import { imitate, invalid, readFunction } from '../core/index.js';
import { DEFAULT_SOURCE, frameOf, resolveSource } from '../connection/index.js';
import {
  parseTransactionOptions,
  PropagationError,
  runCall,
  type TransactionOptions,
} from '../transaction/index.js';
import { getTransactionalContext } from './context.js';
import type { DataSourceName } from './data-sources.js';
import { type IsolationLevel, Propagation } from './enums.js';
import { TransactionalError } from './errors.js';
import { runWithOwnHooks } from './hooks.js';

/** Options of {@link Transactional}, {@link wrapInTransaction} and {@link runInTransaction}. */
export interface WrapInTransactionOptions {
  /** The name that the data source was added under. Default: `default`. */
  connectionName?: DataSourceName;
  /** Default: `REQUIRED`. */
  propagation?: Propagation;
  /** Default: the server's. Joining a transaction of another level rejects with `IsolationMismatchError`. */
  isolationLevel?: IsolationLevel;
  /** For messages and logs. */
  name?: string | symbol;
}

/**
 * Runs a method in a transaction. Name and metadata of the method are kept. Messages name it `Class.method`.
 *
 * Throws `InvalidOptionsError` at decoration. The call rejects with {@link TransactionalError} when its propagation
 * forbids it, and with the errors listed in docs/errors.md.
 *
 * @example
 * ```ts
 * class Posts {
 *   @Transactional({ propagation: Propagation.REQUIRES_NEW })
 *   async create(message: string): Promise<Post> {
 *     return this.repository.save({ message });
 *   }
 * }
 * ```
 */
export function Transactional(options?: WrapInTransactionOptions): MethodDecorator {
  return (target, key, descriptor) => {
    const method: unknown = descriptor?.value;
    if (typeof method !== 'function') throw invalid('@Transactional()', method, 'on a method');
    const { name: owner } = typeof target === 'function' ? target : target.constructor;
    const name = `${owner || 'anonymous class'}.${String(key)}`;
    const wrapped = wrap(method as () => unknown, { ...options, name });
    imitate(wrapped, method);
    (descriptor as PropertyDescriptor).value = wrapped;
  };
}

/**
 * A function that runs `fn` in a transaction at each call, with its `this` and its arguments. Throws and rejects as
 * {@link Transactional} does.
 *
 * @example
 * ```ts
 * const createPost = wrapInTransaction(async (message: string) => posts.save({ message }));
 * ```
 */
// oxlint-disable-next-line typescript/no-explicit-any -- with `never` the parameters of an inline function would be inferred as never
export function wrapInTransaction<Fn extends (this: any, ...args: any[]) => ReturnType<Fn>>(
  fn: Fn,
  options?: WrapInTransactionOptions,
): Fn {
  return wrap(fn, options) as Fn;
}

/**
 * Runs `fn` in a transaction and answers its result. Throws and rejects as {@link Transactional} does.
 *
 * @example
 * ```ts
 * const post = await runInTransaction(async () => posts.save({ message }), { propagation: Propagation.NESTED });
 * ```
 */
export function runInTransaction<Func extends (this: unknown) => ReturnType<Func>>(
  fn: Func,
  options?: WrapInTransactionOptions,
): ReturnType<Func> {
  return prepare(fn, options)(fn, runInTransaction) as ReturnType<Func>;
}

type Wrappable = (...args: never[]) => unknown;
type Wrapped = (this: unknown, ...args: unknown[]) => Promise<unknown>;

function wrap(fn: Wrappable, options?: WrapInTransactionOptions): Wrapped {
  const run = prepare(fn, options);
  return function entry(this: unknown, ...args: unknown[]) {
    return run(() => Reflect.apply(fn, this, args), entry);
  };
}

/** Reads the options; what it answers runs `work` by them. `entry` is the function that the application called. */
function prepare(
  fn: Wrappable,
  options: WrapInTransactionOptions = {},
): (work: () => unknown, entry: Function) => Promise<unknown> {
  readFunction()(fn, 'the function that is to run in a transaction');
  const dataSource = options.connectionName ?? DEFAULT_SOURCE;
  const name = options.name === undefined ? fn.name || 'runInTransaction' : String(options.name);
  const parsed = parseTransactionOptions({ ...coreOptions(options), dataSource });
  return (work, entry) => {
    let started = false;
    const workWithHooks = (): unknown => {
      started = true;
      if (frameOf(dataSource)?.scope) return work();
      return runWithOwnHooks({ source: resolveSource(dataSource), name }, work);
    };
    return getTransactionalContext().run(async () => {
      try {
        return await runCall({ name, options: parsed, work: workWithHooks, plainValue: 'wrapped', entry });
      } catch (error) {
        if (started || !(error instanceof PropagationError)) throw error;
        throw new TransactionalError(error.message, { cause: error });
      }
    });
  };
}

/** An isolation level means nothing to a call that runs without a transaction, and holdfast refuses it there. */
function coreOptions({ propagation, isolationLevel }: WrapInTransactionOptions): TransactionOptions {
  const without = propagation === Propagation.NOT_SUPPORTED || propagation === Propagation.NEVER;
  return { ...(propagation && { propagation }), ...(isolationLevel && !without && { isolationLevel }) };
}
