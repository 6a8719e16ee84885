import type { Clock } from './clock.js';
import { InvalidOptionsError } from './errors.js';

/** Reads one raw value; throws {@link InvalidOptionsError} when it does not fit. `path` names it in the message. */
export type Reader<T> = (value: unknown, path: string) => T;

/** One reader for each known key of an options object. */
export type Shape<T> = { readonly [K in keyof T]-?: Reader<T[K]> };

/**
 * Reads an options object once, at the door, into a frozen object in which every key of `shape` is present.
 * Throws {@link InvalidOptionsError} for a value that is not an object, a key nobody knows (naming the nearest
 * known one) and a value of the wrong type.
 */
export function readOptions<T>(raw: unknown, shape: Shape<T>, path: string): Readonly<T> {
  const source = raw === undefined ? {} : raw;
  if (Object.prototype.toString.call(source) !== '[object Object]')
    throw invalid(path, raw, 'an options object');
  const known = Object.keys(shape) as (keyof T & string)[];
  for (const key of Object.keys(source as object)) {
    if (!(known as string[]).includes(key)) {
      const near = nearest(key, known);
      throw new InvalidOptionsError(
        `${path} has no option "${key}"${near ? `; did you mean "${near}"?` : '.'} Known options: ${known.join(', ')}.`,
      );
    }
  }
  const result: Partial<T> = {};
  for (const key of known)
    result[key] = shape[key]((source as Record<string, unknown>)[key], `${path}.${key}`);
  return Object.freeze(result) as Readonly<T>;
}

/** Lets `undefined` through. */
export function optional<T>(reader: Reader<T>): Reader<T | undefined> {
  return (value, path) => (value === undefined ? undefined : reader(value, path));
}

/** Puts `fallback` where the value is `undefined`. */
export function withDefault<T>(reader: Reader<T>, fallback: T): Reader<T> {
  return (value, path) => (value === undefined ? fallback : reader(value, path));
}

export const readString: Reader<string> = (value, path) => {
  if (typeof value !== 'string' || value === '') throw invalid(path, value, 'a non-empty string');
  return value;
};

export const readBoolean: Reader<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw invalid(path, value, 'true or false');
  return value;
};

/** The longest delay that a Node timer keeps: 2^31 - 1 ms, about 24.8 days. */
const MAX_TIMER_MS = 2_147_483_647;

/** Whole or fractional milliseconds, above 0 and not longer than a timer can wait. */
export const readDurationMs: Reader<number> = (value, path) => {
  if (typeof value !== 'number' || !(value > 0) || value > MAX_TIMER_MS) {
    throw invalid(path, value, `a number of milliseconds above 0 and at most ${MAX_TIMER_MS}`);
  }
  return value;
};

export function readInteger(min: number, max: number): Reader<number> {
  return (value, path) => {
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
      throw invalid(path, value, `a whole number from ${min} to ${max}`);
    }
    return value as number;
  };
}

export function readOneOf<const T extends string>(allowed: readonly T[]): Reader<T> {
  return (value, path) => {
    if (!(allowed as readonly unknown[]).includes(value)) {
      throw invalid(path, value, `one of ${allowed.join(', ')}`);
    }
    return value as T;
  };
}

export function readFunction<F extends (...args: never[]) => unknown>(): Reader<F> {
  return (value, path) => {
    if (typeof value !== 'function') throw invalid(path, value, 'a function');
    return value as F;
  };
}

export const readClock: Reader<Clock> = (value, path) => {
  const { now, setTimer } = (value ?? {}) as Partial<Clock>;
  if (typeof now !== 'function' || typeof setTimer !== 'function')
    throw invalid(path, value, 'a Clock: { now(), setTimer() }');
  return value as Clock;
};

export function invalid(path: string, value: unknown, allowed: string): InvalidOptionsError {
  return new InvalidOptionsError(`${path} must be ${allowed}, but is ${describe(value)}.`);
}

/** Says what a value is without printing what could be a secret: strings are shown only when short and plain. */
function describe(value: unknown): string {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return /^[\w .-]{0,40}$/.test(value) ? `"${value}"` : 'a string';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'function') return value.name ? `the function ${value.name}` : 'a function';
  if (typeof value === 'object') return `an object (${value.constructor?.name ?? 'no prototype'})`;
  return typeof value;
}

/** The candidate within two edits of `word` (Levenshtein), or undefined. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = 3;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}
