import { processGlobal } from '../core/index.js';
import type { ManagedSource } from './managed-pool.js';

/** A transaction whose method has not returned yet, or whose end is on its way. */
export interface RunningTransaction {
  readonly id: string;
  readonly name: string;
  readonly source: ManagedSource;
  /** Where it was opened. */
  readonly openedAt: Error;
  /** Ends it from outside: its caller gets `reason`. */
  abort(reason: Error): void;
}

/** The transactions that run in this process. */
export class RunningTransactions {
  readonly #all = new Set<RunningTransaction>();
  readonly #afterLast = new Map<ManagedSource, () => void>();

  add(transaction: RunningTransaction): void {
    this.#all.add(transaction);
  }

  delete(transaction: RunningTransaction): void {
    this.#all.delete(transaction);
    const { source } = transaction;
    const work = this.#afterLast.size > 0 && this.#afterLast.get(source);
    if (!work || this.on(source).length > 0) return;
    this.#afterLast.delete(source);
    work();
  }

  /** Those on one data source, or on all, oldest first. */
  on(source?: ManagedSource): readonly RunningTransaction[] {
    return [...this.#all].filter((transaction) => !source || transaction.source === source);
  }

  /** Does `work` when the last one on `source` has ended: at once where none runs. Of several, only the latest is done. */
  afterLast(source: ManagedSource, work: () => void): void {
    if (this.on(source).length === 0) work();
    else this.#afterLast.set(source, work);
  }
}

/** One for both copies of the package. */
export const runningTransactions = processGlobal(
  'holdfast.running-transactions/1',
  () => new RunningTransactions(),
);
