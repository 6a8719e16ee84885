import { invalid, type Reader } from '../core/index.js';
import { isPromise } from './returned-value.js';

/** Says whether an error is meant. Synchronous: nobody awaits it. */
export type Predicate = (error: unknown) => boolean;

export const readPredicate: Reader<Predicate> = (value, path) => {
  if (typeof value !== 'function') throw invalid(path, value, 'a function');
  if (isAsync(value)) throw invalid(path, value, 'a synchronous function, for nobody awaits its answer');
  return value as Predicate;
};

/** What the predicate answers. Throws for a promise, which would always count as yes. */
export function holds(predicate: Predicate, error: unknown): boolean {
  const answer: unknown = predicate(error);
  if (!isPromise(answer)) return Boolean(answer);
  // Nobody else hears of it.
  answer.then(undefined, () => {});
  throw new TypeError('the predicate answered a promise, and nobody awaits it; let it answer true or false');
}

/** Where it cannot be told, because the function was compiled for an older runtime, what it answers tells it. */
export function isAsync(fn: Function): boolean {
  return Object.prototype.toString.call(fn) === '[object AsyncFunction]';
}
