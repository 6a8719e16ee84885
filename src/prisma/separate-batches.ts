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
 * here the transaction is part of the key, and each batch is sent in the frame of its own calls, as `frameFor`
 * makes it.
 */
export function separateBatches(
  options: DataLoaderOptions,
  source: ManagedSource,
  frameFor: (frame: Frame | undefined) => Frame | undefined,
): void {
  const { batchBy, singleLoader, batchLoader } = options;
  const keys = new Keys();
  const inFrameOf = <T>(request: Framed | undefined, work: () => T): T =>
    // A caller outside every frame must not be sent in the frame of another one whose turn it shares.
    runInFrame(frameFor(request?.[FRAME]), work);
  Object.assign(options, {
    batchBy(request: Framed) {
      request[FRAME] = currentFrame();
      const key = batchBy.call(options, request);
      const scope = key && ambientScope(source);
      return scope ? `${key}-holdfast-${keys.of(scope)}` : key;
    },
    singleLoader: (request) => inFrameOf(request, () => singleLoader.call(options, request)),
    batchLoader: (requests) => inFrameOf(requests[0], () => batchLoader.call(options, requests)),
  } satisfies DataLoaderOptions);
}

/** On the request itself: V8 keeps what a WeakMap holds, and whatever that leads to, for longer than its key lives. */
const FRAME = Symbol('holdfast.frame');
type Framed = PrismaRequest & { [FRAME]?: Frame | undefined };

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
