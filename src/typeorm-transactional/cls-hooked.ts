import { createRequire } from 'node:module';
import { join } from 'node:path';
import { InvalidOptionsError } from '../core/index.js';
import type { ContextStorage, Frame } from '../connection/index.js';
import type { TransactionalContext } from './context.js';

/** The name that typeorm-transactional gives its namespace: code of the application may run in it. */
const NAMESPACE = '@transactional/namespace';
const FRAME = Symbol.for('holdfast.cls-frame/1');

type ClsValues = Record<PropertyKey, unknown>;

/** The parts of a namespace of `cls-hooked` that are used. */
interface Namespace {
  readonly active: ClsValues | null;
  get(key: string): unknown;
  set(key: string, value: unknown): unknown;
  createContext(): ClsValues;
  enter(context: ClsValues): void;
  exit(context: ClsValues): void;
}

interface ClsHooked {
  getNamespace(name: string): Namespace | undefined;
  createNamespace(name: string): Namespace;
}

/** The context of what runs outside every other one. Nothing can be set in it. */
const OUTSIDE: ClsValues = Object.preventExtensions({});

/** The namespace, which is one for the process whichever copy of `cls-hooked` made it. */
export function openNamespace(): Namespace {
  const cls = load();
  const namespace = cls.getNamespace(NAMESPACE) ?? cls.createNamespace(NAMESPACE);
  // A callback that was bound where no context was active would run in that of whoever calls it: in a transaction.
  namespace.enter(OUTSIDE);
  return namespace;
}

function load(): ClsHooked {
  const bases = [process.argv[1], join(process.cwd(), 'package.json')];
  let cause: unknown;
  for (const base of bases) {
    if (!base) continue;
    try {
      return createRequire(base)('cls-hooked') as ClsHooked;
    } catch (error) {
      cause = error;
    }
  }
  throw new InvalidOptionsError(
    'storageDriver CLS_HOOKED needs the package cls-hooked, which the application does not have. Install it ' +
      '(npm install cls-hooked), or use ASYNC_LOCAL_STORAGE, which needs nothing.',
    { cause },
  );
}

/** Keeps holdfast's frames in a namespace of `cls-hooked`, so that what is bound to the namespace keeps its transaction. */
export class ClsStorage implements ContextStorage {
  readonly #namespace: Namespace;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  getStore(): Frame | undefined {
    return this.#namespace.active?.[FRAME] as Frame | undefined;
  }

  run<T>(frame: Frame | undefined, work: () => T): T {
    // A context inherits from the one around it. What runs without a frame outlives the transaction and must not keep it.
    const context = frame ? this.#namespace.createContext() : {};
    context[FRAME] = frame;
    return within(this.#namespace, context, work);
  }
}

/** A context whose values are those of the namespace. */
export class ClsContext implements TransactionalContext {
  readonly #namespace: Namespace;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  get active(): boolean {
    return this.#namespace.active !== null && this.#namespace.active !== OUTSIDE;
  }

  get(key: string): unknown {
    return this.#namespace.get(key);
  }

  set(key: string, value: unknown): void {
    this.#namespace.set(key, value);
  }

  async run<T>(cb: () => Promise<T>): Promise<T> {
    return within(this.#namespace, this.#namespace.createContext(), cb);
  }
}

// Not `namespace.run`: that writes the whole context, and with it the frame, on every error that passes through.
function within<T>(namespace: Namespace, context: ClsValues, work: () => T): T {
  namespace.enter(context);
  try {
    return work();
  } finally {
    namespace.exit(context);
  }
}
