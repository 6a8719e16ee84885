import {
  ambientScope,
  currentFrame,
  type Frame,
  type ManagedSource,
  runInFrame,
} from '../connection/index.js';
import type { DataLoaderOptions, PrismaRequest } from './prisma-types.js';

/**
 * Keeps Prisma from answering the `findUnique` calls of two transactions with one SELECT. Prisma collects the
 * calls of one tick by the shape of their query and sends them in the async context of whichever came first;
 * here the transaction is part of the key, and each batch is sent in the context of its own calls.
 *
 * Answers false, having changed nothing, when the options do not have the shape that is known.
 */
export function separateBatches(
  options: Partial<DataLoaderOptions>,
  source: () => ManagedSource,
): options is DataLoaderOptions {
  const { batchBy, singleLoader, batchLoader } = options;
  if (
    typeof batchBy !== 'function' ||
    typeof singleLoader !== 'function' ||
    typeof batchLoader !== 'function'
  )
    return false;
  const frames = new WeakMap<PrismaRequest, Frame>();
  const keys = new Keys();
  const inFrameOf = <T>(request: PrismaRequest | undefined, work: () => T): T =>
    runInFrame(request && (frames.get(request) ?? currentFrame()), work);
  Object.assign(options, {
    batchBy(request) {
      const frame = currentFrame();
      if (frame) frames.set(request, frame);
      const key = batchBy.call(options, request);
      const scope = key && ambientScope(source());
      return scope ? `${key}-holdfast-${keys.of(scope)}` : key;
    },
    singleLoader: (request) => inFrameOf(request, () => singleLoader.call(options, request)),
    batchLoader: (requests) => inFrameOf(requests[0], () => batchLoader.call(options, requests)),
  } satisfies DataLoaderOptions);
  return true;
}

/** A number for each object, for as long as the object lives. */
class Keys {
  readonly #numbers = new WeakMap<object, number>();
  #next = 1;

  of(object: object): number {
    let number = this.#numbers.get(object);
    if (number === undefined) this.#numbers.set(object, (number = this.#next++));
    return number;
  }
}
