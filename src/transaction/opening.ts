import { CallSite, type IsolationLevel, processGlobal } from '../core/index.js';
import type { Frame, ManagedPool, ManagedSource } from '../connection/index.js';

/** Names that an error has spoken of. Names can be made up at run time, so there is an end to them. */
const tracing = processGlobal('holdfast.opening/1', () => ({
  always: undefined as boolean | undefined,
  names: new Set<string>(),
}));
const MOST_NAMES = 1000;

/**
 * Where a transaction was opened. A stack costs about 4 µs, a tenth of a short transaction's processor time: with
 * `NODE_ENV=production` it is taken only for transactions of a name that an error has spoken of before.
 */
export class Opening {
  readonly #name: string;
  readonly #site: CallSite | undefined;

  /** `entry` is the function of ours that the application called. */
  constructor(name: string, entry: Function) {
    tracing.always ??= process.env['NODE_ENV'] !== 'production';
    this.#name = name;
    this.#site = tracing.always || tracing.names.has(name) ? new CallSite(entry) : undefined;
  }

  /** The cause of errors about the transaction. */
  toError(): Error {
    if (this.#site) return this.#site.toError(`transaction "${this.#name}" was opened here`);
    if (tracing.names.size < MOST_NAMES) tracing.names.add(this.#name);
    const error = new Error(
      `transaction "${this.#name}" was opened at a place that was not recorded, because NODE_ENV is production; from now on it is`,
    );
    error.stack = `Error: ${error.message}`;
    return error;
  }
}

/** What a transaction is opened with. */
export interface TransactionOpening {
  readonly name: string;
  readonly source: ManagedSource;
  readonly pool: ManagedPool;
  readonly isolationLevel: IsolationLevel | undefined;
  readonly readOnly: boolean;
  readonly allowsImplicitCommit: boolean;
  /** The frame around the call that opens it. */
  readonly outer: Frame | undefined;
  readonly opening: Opening;
}
