import { getLogger, systemClock } from '../core/index.js';
import { type ManagedSource, type RunningTransaction, runningTransactions } from '../connection/index.js';
import { ShutdownError } from './errors.js';

/** What is left to look at of a running transaction. */
export interface ActiveTransaction {
  readonly id: string;
  readonly name: string;
  readonly dataSource: string;
}

/** The transactions that run now, on every data source or on one. */
export function listActiveTransactions(source?: ManagedSource): readonly ActiveTransaction[] {
  return runningTransactions
    .on(source)
    .map(({ id, name, source: { name: dataSource } }) => ({ id, name, dataSource }));
}

/**
 * Waits up to `limitMs` milliseconds for the transactions of a data source to end by themselves; those that are
 * still running then are rolled back, their callers get {@link ShutdownError}, and a warning names them.
 */
export async function endTransactions(source: ManagedSource, limitMs: number): Promise<void> {
  const ended = (): boolean => runningTransactions.on(source).length === 0;
  if (await waitUntil(ended, limitMs)) return;
  abortTransactions(source, limitMs);
  await waitUntil(ended, limitMs);
}

/** An application and its data source may both shut down: each transaction is told of it, and logged, once. */
const shutDown = new WeakSet<RunningTransaction>();

/** The second half of {@link endTransactions}, for one who has waited `limitMs` milliseconds already. */
export function abortTransactions(source: ManagedSource, limitMs: number): void {
  for (const transaction of runningTransactions.on(source)) {
    if (shutDown.has(transaction)) continue;
    shutDown.add(transaction);
    getLogger().warn(
      { transaction: transaction.name, id: transaction.id, dataSource: source.name, limitMs },
      `holdfast: "${transaction.name}" still ran ${limitMs} ms after shutdown began; it is rolled back`,
    );
    transaction.abort(
      new ShutdownError(
        `"${transaction.name}" still ran ${limitMs} ms after the shutdown of data source "${source.name}" began; it is rolled back.`,
        {
          cause: transaction.openedAt,
          retryable: true,
        },
      ),
    );
  }
}

const POLL_MS = 10;

function waitUntil(done: () => boolean, limitMs: number): Promise<boolean> {
  if (done()) return Promise.resolve(true);
  const end = systemClock.now() + limitMs;
  return new Promise((resolve) => {
    const check = (): void => {
      if (done()) resolve(true);
      else if (systemClock.now() >= end) resolve(false);
      else setTimeout(check, POLL_MS);
    };
    setTimeout(check, POLL_MS);
  });
}
