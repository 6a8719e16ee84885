import { InvalidOptionsError, readFunction } from '../core/index.js';
import { parseTransactionOptions, type TransactionOptions } from './options.js';
import { runCall } from './runner.js';
import { wrapMethod } from './wrap-method.js';

/** A method that a transaction can surround: one that answers a promise. */
export type AsyncMethod = (...args: never[]) => Promise<unknown>;

/** What `@Transactional()` is: a decorator of methods and of classes, in TypeScript's legacy form and in TC39's. */
export interface TransactionalDecorator {
  /** A method, TC39 form. */
  <M extends AsyncMethod>(method: M, context: { readonly kind: 'method'; readonly name: string | symbol }): M;
  /** A class, TC39 form. */
  <C extends abstract new (...args: never[]) => object>(target: C, context: { readonly kind: 'class' }): void;
  /** A method, legacy form. */
  <M extends AsyncMethod>(
    target: object,
    name: string | symbol,
    descriptor: TypedPropertyDescriptor<M>,
  ): void;
  /** A class, legacy form. */
  <C extends abstract new (...args: never[]) => object>(target: C): void;
}

/**
 * Runs a method in a transaction. Whatever the method and those it calls ask of the managed data source runs on
 * the transaction's connection; when its promise resolves the transaction is committed, when it rejects it is
 * rolled back. On a class it stands for every method of the class itself; a method's own decorator is stronger.
 *
 * Metadata and name of the method are kept, so other decorators work above and below it. A method that does not
 * return a promise is a compile error. Synchronous methods of a decorated class are passed through, also where they are
 * refused a transaction; what they ask of the database by themselves is refused.
 *
 * Throws `InvalidOptionsError` at decoration. The call rejects with the errors listed in docs/errors.md.
 *
 * @example
 * ```ts
 * class Orders {
 *   @Transactional({ isolationLevel: 'SERIALIZABLE', retry: { attempts: 3 } })
 *   async place(order: Order): Promise<void> {
 *     await this.orders.save(order);
 *     await this.stock.take(order.items);
 *   }
 * }
 * ```
 */
export function Transactional(options?: TransactionOptions): TransactionalDecorator {
  // As a bare legacy decorator it would be given a prototype for options and take the method's place.
  if (arguments.length > 1 || typeof options === 'function') {
    throw new InvalidOptionsError('@Transactional is written with its parentheses: @Transactional().');
  }
  const parsed = parseTransactionOptions(options);
  const decorate = (target: object, second?: unknown, descriptor?: PropertyDescriptor): unknown =>
    wrapMethod(parsed, { target, second, descriptor });
  return decorate as TransactionalDecorator;
}

/**
 * Runs `work` in a transaction and answers its result.
 *
 * Rejects with what `work` rejects with, after the rollback; with `UnexpectedRollbackError` when the work could
 * not be kept although it resolved; with the errors listed in docs/errors.md.
 *
 * @example
 * ```ts
 * const id = await runInTransaction(async () => {
 *   const { rows } = await pool.query('INSERT INTO account (owner) VALUES ($1) RETURNING id', ['ada']);
 *   return rows[0].id;
 * });
 * ```
 */
export function runInTransaction<T>(work: () => Promise<T>, options?: TransactionOptions): Promise<T> {
  try {
    readFunction()(work, 'runInTransaction(work)');
    const parsed = parseTransactionOptions(options);
    const name = parsed.name ?? (work.name || 'runInTransaction');
    return runCall({ name, options: parsed, work, plainValue: 'wrapped', entry: runInTransaction });
  } catch (error) {
    return Promise.reject(error as Error);
  }
}

/**
 * A function that runs `fn` in a transaction at each call, with its `this` and its arguments.
 * Throws `InvalidOptionsError` at once for wrong options.
 *
 * @example
 * ```ts
 * const placeOrder = transactional(async (order: Order) => repository.save(order), { name: 'placeOrder' });
 * ```
 */
export function transactional<This, A extends unknown[], R>(
  fn: (this: This, ...args: A) => Promise<R>,
  options?: TransactionOptions,
): (this: This, ...args: A) => Promise<R> {
  readFunction()(fn, 'transactional(fn)');
  const parsed = parseTransactionOptions(options);
  const name = parsed.name ?? (fn.name || 'transactional function');
  return function entry(this: This, ...args: A): Promise<R> {
    return runCall({ name, options: parsed, work: () => fn.apply(this, args), plainValue: 'wrapped', entry });
  };
}
