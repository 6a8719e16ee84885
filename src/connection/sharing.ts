import { processGlobal } from '../core/index.js';
import { type Frame, NO_SOURCE } from './context.js';
import { TestTransactionError, UnsupportedDriverError } from './errors.js';
import type { ManagedSource } from './managed-pool.js';
import type { SharedEnd, SharedTransaction, SharingOptions } from './shared-transaction.js';

interface Shared {
  readonly source: ManagedSource;
  readonly transaction: SharedTransaction;
}

/** The time in which the data sources of this process are shared: one test. */
export class Sharing {
  readonly #options: SharingOptions;
  readonly #shared = new Map<string, Shared>();
  readonly #passedBy = new Set<string>();
  #refusal: Error | undefined;

  constructor(options: SharingOptions) {
    this.#options = options;
  }

  /** Names of the data sources that were used meanwhile without being shared. */
  get passedBy(): readonly string[] {
    return [...this.#passedBy];
  }

  /** Why every statement is refused, where it is. */
  get refusal(): Error | undefined {
    return this.#refusal;
  }

  /**
   * The transaction of a source, made at the first call; `undefined` for one that is not shared. Throws
   * {@link TestTransactionError} or {@link UnsupportedDriverError} where it can be neither.
   */
  of(source: ManagedSource): SharedTransaction | undefined {
    const { name, primary } = source;
    if (this.#refusal) throw this.#refusal;
    if (this.#options.sources?.includes(name) === false) {
      this.#passedBy.add(name);
      return undefined;
    }
    const { source: first, transaction } = this.#shared.get(name) ?? this.#open(source);
    if (first !== source && !transaction.servesPool(primary.native)) {
      throw new TestTransactionError(
        `Data source "${name}" led to another database before in this test, or to another pool of the mariadb connector, and one transaction cannot span two. Give each a name of its own.`,
      );
    }
    return transaction;
  }

  /** From now on every statement is refused. */
  refuse(error: Error): void {
    this.#refusal = error;
  }

  /** Ends the transaction of each source. Never rejects. */
  end(graceMs: number): Promise<readonly SharedEnd[]> {
    return Promise.all([...this.#shared.values()].map(({ transaction }) => transaction.end(graceMs)));
  }

  #open(source: ManagedSource): Shared {
    const { name, primary } = source;
    if (!primary.share) {
      throw new UnsupportedDriverError(
        `rollbackPerTest() works through a pool of pg, mysql2 or mariadb, which data source "${name}" does not have. Name those that it is for: rollbackPerTest({ dataSource }).`,
      );
    }
    const shared = { source, transaction: primary.share(this.#options) };
    this.#shared.set(name, shared);
    return shared;
  }
}

const state = processGlobal('holdfast.sharing/1', () => ({ sharing: undefined as Sharing | undefined }));

/** The sharing that is in force. */
export function currentSharing(): Sharing | undefined {
  return state.sharing;
}

/**
 * `frame`, saying what messages call a transaction that is begun by hand in it. Only where connections are shared do any
 * tell of one that nothing surrounds.
 */
export function frameNaming(begins: string, frame: Frame | undefined): Frame | undefined {
  return state.sharing ? { parent: frame, source: NO_SOURCE, scope: undefined, begins } : frame;
}

/** Puts a sharing in force, or ends that. */
export function setSharing(sharing: Sharing | undefined): void {
  state.sharing = sharing;
}
