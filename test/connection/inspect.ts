/** What `work` throws. */
export function errorOf(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

/** Everything that is on an object itself. */
export function describeInstance(object: object): Record<string, PropertyDescriptor | undefined> {
  return Object.fromEntries(
    Reflect.ownKeys(object).map((key) => [String(key), Object.getOwnPropertyDescriptor(object, key)]),
  );
}
