import { UnsupportedReturnError } from './errors.js';

/** What a call of a method came to, as far as its synchronous part goes. */
export type CallResult<T> =
  | { readonly kind: 'promise'; readonly promise: Promise<T> }
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'error'; readonly error: unknown };

/** One that is there at once. */
export type PlainResult<T> = Exclude<CallResult<T>, { kind: 'promise' }>;

/**
 * Calls `work` and tells a promise from a plain value and from an error thrown at once. To be called in the frame
 * of the work: a promise that begins its work only when it is awaited (Prisma's, Drizzle's) begins it here.
 */
export function callWork<T>(work: () => T | PromiseLike<T>): CallResult<T> {
  try {
    const result = work();
    return isPromise(result)
      ? { kind: 'promise', promise: Promise.resolve(result) }
      : { kind: 'value', value: result };
  } catch (error) {
    return { kind: 'error', error };
  }
}

export function promiseOf<T>(result: CallResult<T>): Promise<T> {
  if (result.kind === 'error') return Promise.reject(result.error);
  return result.kind === 'promise' ? result.promise : Promise.resolve(result.value);
}

/** The value, or the error, as the method itself answered it. */
export function valueOf<T>(result: PlainResult<T>): T {
  if (result.kind === 'error') throw result.error;
  return result.value;
}

/** {@link valueOf} a result that is there before its transaction has ended. Throws {@link UnsupportedReturnError}. */
export function passOn<T>(result: PlainResult<T>, name: string): T {
  const value = valueOf(result);
  refuseLazyResult(value, name);
  return value;
}

/** Throws {@link UnsupportedReturnError} for an Observable, a readable stream, an iterator of async values. */
export function refuseLazyResult(value: unknown, name: string): void {
  const kind = lazyKind(value);
  if (!kind) return;
  throw new UnsupportedReturnError(
    `"${name}" returned ${kind}, whose work would outlive the transaction; it was rolled back. ` +
      'Collect the result inside the method (lastValueFrom(observable), an array of the rows) and return that.',
  );
}

/** What a result is whose work begins, or goes on, after the method has returned. */
export function lazyKind(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (isMarkedObservable(value) && hasMethods(value, 'subscribe', 'pipe')) return 'an Observable';
  if (hasMethods(value, 'pipe', 'read')) return 'a stream';
  if (Symbol.asyncIterator in value) return 'an async iterator';
  return undefined;
}

/** The method by which Observables know one another; rxjs calls it `Symbol.observable` where a polyfill has defined that. */
function isMarkedObservable(value: object): boolean {
  const { observable } = Symbol as { readonly observable?: symbol };
  return '@@observable' in value || (observable !== undefined && observable in value);
}

/** Asks whether they are there before it reads them: a proxy may answer whatever it is asked for. */
function hasMethods(value: object, ...keys: string[]): boolean {
  return keys.every((key) => key in value && typeof (value as Record<string, unknown>)[key] === 'function');
}

/** Whether a result is a promise of any kind. */
export function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

/** The error of a `beforeCommit` hook that a synchronous method registered outside a transaction. */
export function unawaitedBeforeCommit(name: string): UnsupportedReturnError {
  return new UnsupportedReturnError(
    `"${name}" returned before its beforeCommit hook could run, and outside a transaction nobody waits for that; it was rolled back. ` +
      'Make it async, or call it inside a transaction.',
  );
}
