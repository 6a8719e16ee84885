import { LinkedSet, processGlobal } from '../core/index.js';
import type { ManagedSource } from './managed-pool.js';

/** A transaction whose method has not returned yet, or whose end is on its way. */
export interface RunningTransaction {
  readonly id: string;
  readonly name: string;
  readonly source: ManagedSource;
  /** Where it was opened. */
  readonly openedAt: Error;
  /** Whether COMMIT is on its way, and cannot be taken back. */
  readonly committing: boolean;
  /** Ends it from outside: its caller gets `reason`. */
  abort(reason: Error): void;
}

/** The transactions of this process, from the call of their method until the caller is answered. */
export class RunningTransactions {
  readonly #open = new LinkedSet<RunningTransaction>();
  readonly #ended = new LinkedSet<RunningTransaction>();
  readonly #afterLast = new Map<ManagedSource, () => void>();

  add(transaction: RunningTransaction): void {
    this.#open.add(transaction);
  }

  /** It is committed or rolled back; its hooks have still to run. */
  end(transaction: RunningTransaction): void {
    if (this.#close(transaction)) this.#ended.add(transaction);
  }

  /** Its caller is answered, or nobody waits for its hooks any longer. */
  delete(transaction: RunningTransaction): void {
    if (!this.#ended.delete(transaction)) this.#close(transaction);
  }

  /** Whether it runs, or one of its hooks does. */
  has(transaction: object): boolean {
    return (
      this.#open.has(transaction as RunningTransaction) || this.#ended.has(transaction as RunningTransaction)
    );
  }

  /** Those on one data source, or on all, oldest first. */
  on(source?: ManagedSource): readonly RunningTransaction[] {
    return this.#open.values().filter((transaction) => !source || transaction.source === source);
  }

  /** Those on one data source that have ended, and whose hooks still run. */
  endedOn(source: ManagedSource): readonly RunningTransaction[] {
    return this.#ended.values().filter((transaction) => transaction.source === source);
  }

  /** Does `work` when the last one on `source` has ended: at once where none runs. Of several, only the latest is done. */
  afterLast(source: ManagedSource, work: () => void): void {
    if (this.on(source).length === 0) work();
    else this.#afterLast.set(source, work);
  }

  #close(transaction: RunningTransaction): boolean {
    const wasOpen = this.#open.delete(transaction);
    const { source } = transaction;
    const work = this.#afterLast.size > 0 && this.#afterLast.get(source);
    if (work && this.on(source).length === 0) {
      this.#afterLast.delete(source);
      work();
    }
    return wasOpen;
  }
}

/** One for both copies of the package. */
export const runningTransactions = processGlobal(
  'holdfast.running-transactions/1',
  () => new RunningTransactions(),
);
