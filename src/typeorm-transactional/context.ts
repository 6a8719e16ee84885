import {
  invalid,
  InvalidOptionsError,
  optional,
  readOneOf,
  readOptions,
  type Reader,
} from '../core/index.js';
import { useContextStorage } from '../connection/index.js';
import { ClsContext, ClsStorage, openNamespace } from './cls-hooked.js';
import { StorageDriver } from './enums.js';
import { FrameContext } from './frame-context.js';
import { state } from './state.js';

/** Values that belong to a call and to whatever it calls. */
export interface TransactionalContext {
  /** Whether the running call is inside a context. */
  active: boolean;
  get(key: string): unknown;
  /** Sets a value for the running call and those that it makes from now on. */
  set(key: string, value: unknown): void;
  /** Runs `cb` in a context of its own that begins with the values of the one around it. */
  run<T>(cb: () => Promise<T>): Promise<T>;
}

/** Options of {@link initializeTransactionalContext}. */
export interface TypeormTransactionalOptions {
  /** How many hooks of one kind a call may register before a warning names a possible leak; `0`: no limit. Default: 10. */
  maxHookHandlers: number;
  /** Where the context of a call is kept. Default: `ASYNC_LOCAL_STORAGE`. */
  storageDriver: StorageDriver;
}

const readLimit: Reader<number> = (value, path) => {
  if (value === Infinity || (Number.isInteger(value) && (value as number) >= 0)) return value as number;
  throw invalid(path, value, 'a whole number from 0, or Infinity');
};

/**
 * Chooses where the context of calls is kept. Optional with the defaults; with `CLS_HOOKED` it must come before the
 * first transaction.
 *
 * Throws `InvalidOptionsError` for wrong options, for another storage than the one that is in use, and when
 * `cls-hooked` is asked for and not installed.
 *
 * @example
 * ```ts
 * initializeTransactionalContext({ storageDriver: StorageDriver.ASYNC_LOCAL_STORAGE });
 * ```
 */
export function initializeTransactionalContext(
  options?: Partial<TypeormTransactionalOptions>,
): TransactionalContext {
  const { maxHookHandlers, storageDriver } = readOptions<{
    maxHookHandlers: number | undefined;
    storageDriver: StorageDriver | undefined;
  }>(
    options,
    {
      maxHookHandlers: optional(readLimit),
      storageDriver: optional(readOneOf(Object.values(StorageDriver))),
    },
    'initializeTransactionalContext options',
  );
  if (maxHookHandlers !== undefined) state.maxHookHandlers = maxHookHandlers;
  if (storageDriver !== undefined && storageDriver !== StorageDriver.AUTO) choose(storageDriver);
  return getTransactionalContext();
}

/**
 * The context of the running call, by which an application can hand values to the methods that it calls.
 *
 * @example
 * ```ts
 * const context = getTransactionalContext();
 * await context.run(async () => {
 *   context.set('request', request.id);
 *   await orders.place(order);
 * });
 * ```
 */
export function getTransactionalContext(): TransactionalContext {
  return (state.context ??= { kept: StorageDriver.ASYNC_LOCAL_STORAGE, values: new FrameContext() }).values;
}

function choose(wanted: StorageDriver): void {
  if (state.context?.kept === wanted) return;
  if (state.context) {
    throw new InvalidOptionsError(
      `initializeTransactionalContext asks for the storage ${wanted}, but ${state.context.kept} is in use already. ` +
        'Call it once, before the application starts.',
    );
  }
  if (wanted !== StorageDriver.CLS_HOOKED) return;
  const namespace = openNamespace();
  useContextStorage(new ClsStorage(namespace));
  state.context = { kept: wanted, values: new ClsContext(namespace) };
}
