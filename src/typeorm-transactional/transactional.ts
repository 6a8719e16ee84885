import { imitate, invalid } from '../core/index.js';
import { DEFAULT_SOURCE, frameOf, resolveSource } from '../connection/index.js';
import { PropagationError, transactional, type TransactionOptions } from '../transaction/index.js';
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

/** One call of a wrapped function. */
interface Call {
  readonly work: () => unknown;
  /** Whether the propagation let the function run. */
  started: boolean;
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
  return wrap(fn, options)() as ReturnType<Func>;
}

type Wrapped = (this: unknown, ...args: unknown[]) => Promise<unknown>;

function wrap(fn: (...args: never[]) => unknown, options: WrapInTransactionOptions = {}): Wrapped {
  const dataSource = options.connectionName ?? DEFAULT_SOURCE;
  const name = options.name === undefined ? fn.name || 'runInTransaction' : String(options.name);
  const run = transactional(
    async (call: Call) => {
      call.started = true;
      if (frameOf(dataSource)?.scope) return call.work();
      return runWithOwnHooks({ source: resolveSource(dataSource), name }, call.work);
    },
    { ...coreOptions(options), dataSource, name },
  );
  return function (this: unknown, ...args: unknown[]) {
    const call: Call = { work: () => Reflect.apply(fn, this, args), started: false };
    return getTransactionalContext().run(async () => {
      try {
        return await run(call);
      } catch (error) {
        if (call.started || !(error instanceof PropagationError)) throw error;
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
