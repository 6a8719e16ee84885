/**
 * State that the ESM and the CJS copy of this package share when one process loads both: one registered
 * symbol on `globalThis` each. The number in the key changes when the shape does.
 */
export function processGlobal<T>(key: `holdfast.${string}/${number}`, create: () => T): T {
  const store = globalThis as { [key: symbol]: unknown };
  const symbol = Symbol.for(key);
  return (store[symbol] ??= create()) as T;
}
