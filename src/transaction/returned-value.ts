import { UnsupportedReturnError } from './errors.js';

/** How a call of a method ended as far as the synchronous part goes. */
export type Outcome<T> =
  | { readonly kind: 'promise'; readonly promise: Promise<T> }
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'error'; readonly error: unknown };

/**
 * Calls `work` and tells a promise from a plain value and from an error thrown at once. To be called in the frame
 * of the work: a promise that begins its work only when it is awaited (Prisma's, Drizzle's) begins it here.
 */
export function settle<T>(work: () => T | PromiseLike<T>): Outcome<T> {
  try {
    const result = work();
    return isPromise(result)
      ? { kind: 'promise', promise: Promise.resolve(result) }
      : { kind: 'value', value: result };
  } catch (error) {
    return { kind: 'error', error };
  }
}

export function promiseOf<T>(outcome: Outcome<T>): Promise<T> {
  if (outcome.kind === 'error') return Promise.reject(outcome.error);
  return outcome.kind === 'promise' ? outcome.promise : Promise.resolve(outcome.value);
}

/**
 * Throws {@link UnsupportedReturnError} for a result whose work begins, or goes on, after the method has
 * returned: an Observable, a readable stream, an iterator of async values.
 */
export function refuseLazyResult(value: unknown, name: string): void {
  const kind = lazyKind(value);
  if (!kind) return;
  throw new UnsupportedReturnError(
    `"${name}" returned ${kind}, whose work would outlive the transaction; it was rolled back. ` +
      'Collect the result inside the method (lastValueFrom(observable), an array of the rows) and return that.',
  );
}

function lazyKind(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { subscribe, pipe, read } = value as Record<string, unknown>;
  if (typeof subscribe === 'function' && typeof pipe === 'function') return 'an Observable';
  if (typeof pipe === 'function' && typeof read === 'function') return 'a stream';
  if (Symbol.asyncIterator in value) return 'an async iterator';
  return undefined;
}

/** Whether a result is a promise of any kind. */
export function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
