import { AsyncResource } from 'node:async_hooks';

/**
 * Binds a function to the async context of this call. `AsyncResource.bind()` does as well, but Node 20 defines a
 * deprecated property on each function that it binds, which takes a hundred times as long as everything else about it.
 */
export function bindContext<A extends unknown[], R>(work: (...args: A) => R): (...args: A) => R {
  const resource = new AsyncResource('holdfast');
  return (...args) => resource.runInAsyncScope(work, undefined, ...args);
}
