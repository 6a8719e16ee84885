import { processGlobal } from '../core/index.js';
import { currentFrame, type Frame, NO_SOURCE, runInFrame } from '../connection/index.js';
import type { TransactionalContext } from './context.js';

const values = processGlobal(
  'holdfast.typeorm-transactional-values/1',
  () => new WeakMap<Frame, Map<string, unknown>>(),
);

/** A context whose values ride on holdfast's own frames. */
export class FrameContext implements TransactionalContext {
  get active(): boolean {
    return current() !== undefined;
  }

  get(key: string): unknown {
    return current()?.get(key);
  }

  set(key: string, value: unknown): void {
    current()?.set(key, value);
  }

  async run<T>(cb: () => Promise<T>): Promise<T> {
    const frame: Frame = { parent: currentFrame(), source: NO_SOURCE, scope: undefined };
    values.set(frame, new Map(current()));
    return runInFrame(frame, cb);
  }
}

function current(): Map<string, unknown> | undefined {
  for (let frame = currentFrame(); frame; frame = frame.parent) {
    const own = values.get(frame);
    if (own) return own;
  }
  return undefined;
}
