import { getLogger, systemClock } from '../core/index.js';
import { type ManagedSource, type RunningTransaction, runningTransactions } from '../connection/index.js';
import { ShutdownError } from './errors.js';

/** How long a shutdown waits for what runs, where nobody says otherwise. */
export const DEFAULT_SHUTDOWN_TIMEOUT_MS = 10_000;

/**
 * Waits up to `limitMs` milliseconds for the transactions of a data source to end by themselves, and for their hooks.
 * Those that are still running then are rolled back, their callers get {@link ShutdownError}, and a warning names them.
 * Hooks that still run `limitMs` later are waited for no longer.
 */
export async function endTransactions(source: ManagedSource, limitMs: number): Promise<void> {
  for (let waits = 0; waits < 2; waits++) {
    if (await waitUntil(() => isQuiet(source), limitMs)) return;
    abortTransactions(source, limitMs);
  }
}

/** An application and its data source may both shut down: each transaction is told of it, and logged, once. */
const told = new WeakSet<RunningTransaction>();

/** What {@link endTransactions} does about those that still run, for one who has waited `limitMs` milliseconds already. */
export function abortTransactions(source: ManagedSource, limitMs: number): void {
  for (const transaction of runningTransactions.on(source)) {
    if (told.has(transaction)) continue;
    told.add(transaction);
    const consequence = transaction.committing
      ? 'the answer to its COMMIT is no longer awaited'
      : 'it is rolled back';
    warn(
      transaction,
      limitMs,
      `"${transaction.name}" still ran ${limitMs} ms after shutdown began; ${consequence}`,
    );
    transaction.abort(
      new ShutdownError(
        `"${transaction.name}" still ran ${limitMs} ms after the shutdown of data source "${source.name}" began; ${consequence}.`,
        { cause: transaction.openedAt, retryable: true },
      ),
    );
  }
  for (const transaction of runningTransactions.endedOn(source)) {
    runningTransactions.delete(transaction);
    warn(
      transaction,
      limitMs,
      `a hook of "${transaction.name}", which has ended, still ran ${limitMs} ms after shutdown began; nobody waits for it any longer`,
    );
  }
}

function warn({ name, id, source }: RunningTransaction, limitMs: number, message: string): void {
  getLogger().warn({ transaction: name, id, dataSource: source.name, limitMs }, `holdfast: ${message}`);
}

function isQuiet(source: ManagedSource): boolean {
  return runningTransactions.on(source).length === 0 && runningTransactions.endedOn(source).length === 0;
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
