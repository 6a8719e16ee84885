import { getLogger, systemClock } from '../core/index.js';
import {
  currentFrame,
  type Frame,
  isShuttingDown,
  type ManagedSource,
  markShuttingDown,
  type RunningTransaction,
  runningTransactions,
} from '../connection/index.js';
import { ShutdownError } from './errors.js';

/** How long a shutdown waits for what runs, where nobody says otherwise. */
export const DEFAULT_SHUTDOWN_TIMEOUT_MS = 10_000;

/**
 * Shuts a data source down with `end`. From now until that has settled, a new transaction is refused with
 * {@link ShutdownError}; those that run may still begin others, and so may their hooks. They have up to `limitMs`
 * milliseconds to end by themselves. Those that are still running then are rolled back, their callers get
 * {@link ShutdownError}, and a warning names them. Hooks that still run `limitMs` later are waited for no longer.
 */
export async function shutDown(
  source: ManagedSource,
  limitMs: number,
  end: () => Promise<void>,
): Promise<void> {
  const settled = markShuttingDown(source);
  const deadline = new ShutdownDeadline(source, limitMs);
  try {
    for (let waits = 1; waits <= 2; waits++) {
      if (await waitUntil(() => isQuiet(source), limitMs)) break;
      deadline.enforce(waits * limitMs);
    }
    await end();
  } finally {
    settled();
  }
}

/** Why `name` cannot begin a transaction on `source`, where that is being shut down. */
export function refusedByShutdown(name: string, source: ManagedSource): ShutdownError | undefined {
  if (!isShuttingDown(source) || belongsToRunning(currentFrame())) return undefined;
  return new ShutdownError(
    `"${name}" was not begun: data source "${source.name}" is shutting down, and only what runs already may begin a transaction. ` +
      'Stop what begins them (consumers, timers) before the shutdown, or call it again where the application runs.',
    { retryable: true },
  );
}

/** Whether a transaction that runs, or a hook of one that has ended, waits for the work in `frame`. */
function belongsToRunning(frame: Frame | undefined): boolean {
  for (let current = frame; current; current = current.parent) {
    const transaction = current.endOf ?? current.scope?.transaction;
    if (transaction && runningTransactions.has(transaction)) return true;
  }
  return false;
}

/** An application and its data source may both shut down: each transaction is told of it, and logged, once. */
const told = new WeakSet<RunningTransaction>();

/** The end of the time that the transactions of a data source have once its shutdown begins, which is when this is made. */
export class ShutdownDeadline {
  readonly #source: ManagedSource;
  readonly #limitMs: number;
  readonly #before: ReadonlySet<RunningTransaction>;

  constructor(source: ManagedSource, limitMs: number) {
    this.#source = source;
    this.#limitMs = limitMs;
    this.#before = new Set(runningTransactions.on(source));
  }

  /** Ends those that still run, `waitedMs` milliseconds after the shutdown began, and says so. */
  enforce(waitedMs = this.#limitMs): void {
    for (const transaction of runningTransactions.on(this.#source)) {
      if (told.has(transaction)) continue;
      told.add(transaction);
      this.#abort(transaction, waitedMs);
    }
    for (const transaction of runningTransactions.endedOn(this.#source)) {
      runningTransactions.delete(transaction);
      this.#warn(
        transaction,
        `a hook of "${transaction.name}", which has ended, still ran ${waitedMs} ms after shutdown began; nobody waits for it any longer`,
      );
    }
  }

  #abort(transaction: RunningTransaction, waitedMs: number): void {
    const { name } = transaction;
    const consequence = transaction.committing
      ? 'the answer to its COMMIT is no longer awaited'
      : 'it is rolled back';
    const late = (shutdown: string): string =>
      this.#before.has(transaction)
        ? `"${name}" still ran ${waitedMs} ms after ${shutdown} began; ${consequence}`
        : `"${name}" began during ${shutdown} and still ran ${waitedMs} ms after that began; ${consequence}`;
    this.#warn(transaction, late('shutdown'));
    transaction.abort(
      new ShutdownError(`${late(`the shutdown of data source "${this.#source.name}"`)}.`, {
        cause: transaction.openedAt,
        retryable: true,
      }),
    );
  }

  #warn({ name, id, source }: RunningTransaction, message: string): void {
    const fields = { transaction: name, id, dataSource: source.name, limitMs: this.#limitMs };
    getLogger().warn(fields, `holdfast: ${message}`);
  }
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
