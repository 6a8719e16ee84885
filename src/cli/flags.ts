import { UsageError } from './usage-error.js';

/** A whole number from 1 on, of a flag. Throws {@link UsageError}. */
export function positiveInteger(flag: string): (text: string) => number {
  return (text) => {
    if (!/^[1-9]\d{0,8}$/.test(text))
      throw new UsageError(`${flag} must be a whole number from 1 on, but is "${text}".`);
    return Number(text);
  };
}

/** The options that were given: an option that is `undefined` is not the same as none. */
export function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
