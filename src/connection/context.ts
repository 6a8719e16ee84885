import { AsyncLocalStorage } from 'node:async_hooks';
import { InvalidOptionsError, processGlobal } from '../core/index.js';
import type { AmbientScope, ManualSavepoint } from './ambient-scope.js';
import { DuplicateDataSourceError } from './errors.js';

/** What frames tell data sources apart by: the source itself. */
export interface SourceKey {
  readonly name: string;
}

/** Stands for no data source: frames of it say nothing of any. */
export const NO_SOURCE: SourceKey = Object.freeze({ name: '' });

/**
 * One call's view of the transactions around it. Frames form an immutable chain: a frame is handed to
 * {@link runInFrame} and is never changed (but see {@link detachFrame}), so branches that run at once cannot disturb one another.
 */
export interface Frame {
  readonly parent: Frame | undefined;
  /** The source that this frame speaks of; `undefined` speaks of every source. */
  readonly source: SourceKey | undefined;
  /** The scope that work on `source` belongs to; `undefined` puts it outside any transaction. */
  readonly scope: AmbientScope | undefined;
  /** Begins a hand-written transaction instead of {@link scope}, for what runs in this very frame. */
  beginManual?(): ManualSavepoint;
  /** What messages call a transaction that is begun by hand in this very frame. Default: what its client calls it. */
  readonly begins?: string;
  /** The method that joined the scope; `undefined` where the frame is of the method that opened it. */
  readonly joinedBy?: string;
  /** The frames of transactions that one call began at once: while one waits for a connection, the others wait with it. */
  readonly together?: readonly Frame[];
  /** The transaction whose end the frame's work hears of, as its hook or subscriber. */
  readonly endOf?: object;
  /** Takes in work that was begun in the frame, so that whoever waits for the frame's own work waits for it as well. */
  readonly alsoAwait?: (work: Promise<void>) => void;
  /** Takes in work whose failure is to be that of the frame's call. Answers whether the call still waits for it. */
  readonly failsWith?: (work: Promise<unknown>) => boolean;
}

/** Where the frame of a call is kept while the call, and whatever it awaits, runs. */
export interface ContextStorage {
  /** The frame of the running call, if any. */
  getStore(): Frame | undefined;
  /** Runs `work`, and everything it awaits, inside `frame`; the frame of the caller is untouched. */
  run<T>(frame: Frame | undefined, work: () => T): T;
}

// Both copies of a dual package must see one context, or a transaction begun through `import` would not be
// joined by a library that was loaded through `require`.
const context = processGlobal<{ storage: ContextStorage; used: boolean }>('holdfast.context/2', () => ({
  storage: new AsyncLocalStorage<Frame | undefined>(),
  used: false,
}));

/**
 * Keeps frames in `storage` instead of the default `AsyncLocalStorage`. Once for the process, before the first
 * transaction: a call that is on its way would lose its frame. Throws `InvalidOptionsError` afterwards.
 */
export function useContextStorage(storage: ContextStorage): void {
  if (storage === context.storage) return;
  if (context.used) {
    throw new InvalidOptionsError(
      'The storage of the context is chosen after the first transaction has begun. Choose it before the application starts.',
    );
  }
  context.storage = storage;
}

/** The frame of the running call, if any. */
export function currentFrame(): Frame | undefined {
  return context.storage.getStore();
}

/** Runs `work`, and everything it awaits, inside `frame`. */
export function runInFrame<T>(frame: Frame | undefined, work: () => T): T {
  if (frame) context.used = true;
  return context.storage.run(frame, work);
}

/** Runs a hook or a subscriber of the end of `transaction`, which it is no part of. */
export function runInEndOf<T>(transaction: object, work: () => T): T {
  return runInFrame(
    { parent: currentFrame(), source: NO_SOURCE, scope: undefined, endOf: transaction },
    work,
  );
}

/**
 * Says that the caller of the work in `frame`, which hides every source, does not wait for it. Nothing looks past such
 * a frame except the search for a self-deadlock, and work that starts itself again and again must not keep them all.
 */
export function detachFrame(frame: Frame): void {
  (frame as { parent: Frame | undefined }).parent = undefined;
}

/** The scope of the running call on `source`. A closed scope is found as well: it is the caller's to refuse. */
export function ambientScope(source: SourceKey): AmbientScope | undefined {
  return scopeInFrame(currentFrame(), source);
}

/** {@link ambientScope} for a given frame. */
export function scopeInFrame(frame: Frame | undefined, source: SourceKey): AmbientScope | undefined {
  for (let current = frame; current; current = current.parent) {
    if (current.source === source || current.source === undefined) return current.scope;
  }
  return undefined;
}

/** The innermost frame of the running call that speaks of the data source of this name, whether or not it is managed still. */
export function frameOf(name: string): Frame | undefined {
  let frame = currentFrame();
  while (frame && frame.source !== undefined && frame.source.name !== name) frame = frame.parent;
  return frame;
}

/**
 * {@link ambientScope} for a statement that a pool of `source` is asked for. Throws {@link DuplicateDataSourceError}
 * in a transaction of another source of that name: on this pool the statement would commit by itself.
 */
export function scopeOnPool(source: SourceKey): AmbientScope | undefined {
  const frame = frameOf(source.name);
  if (frame?.scope && !frame.scope.closed && frame.source !== source) {
    throw new DuplicateDataSourceError(
      `Another pool is managed as "${source.name}" than when this call's transaction began, so the statement cannot be part of it and was not sent. ` +
        'Let the transactions of a pool end before another takes its name, or call runOutsideTransaction().',
    );
  }
  return frame?.scope;
}

/** The innermost frame of the running call that stands in a transaction, whichever source it belongs to. */
export function innermostFrame(): Frame | undefined {
  const hidden = new Set<SourceKey>();
  for (let current = currentFrame(); current; current = current.parent) {
    if (current.source === undefined) return undefined;
    if (hidden.has(current.source)) continue;
    if (current.scope) return current;
    hidden.add(current.source);
  }
  return undefined;
}
