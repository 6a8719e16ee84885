import { runningTransactions } from '../../src/connection/index.js';
import { systemClock } from '../../src/core/index.js';
import type { Transaction } from '../../src/transaction/transaction.js';
import { waitedFor } from '../../src/transaction/waited-for.js';
import { until } from './entries.js';

/** Longer than any test may run: a call looks at the clock as well, where a timer may have had no turn. */
const LIMIT_MS = 987_654;

/** A `timeoutMs` that passes when the test says so, not when the machine was slow. */
export interface HandLimit {
  readonly timeoutMs: number;
  /** Ends the time of every call that runs with it now; there has to be one. */
  pass(): void;
}

export function useHandLimit(): HandLimit {
  const running = new Set<() => void>();
  let spy: jest.SpiedFunction<typeof systemClock.setTimer>;
  beforeEach(() => {
    running.clear();
    const { setTimer } = systemClock;
    spy = jest.spyOn(systemClock, 'setTimer').mockImplementation((callback, delayMs) => {
      if (delayMs !== LIMIT_MS) return setTimer(callback, delayMs);
      running.add(callback);
      return { clear: () => void running.delete(callback) };
    });
  });
  afterEach(() => spy.mockRestore());
  return {
    timeoutMs: LIMIT_MS,
    pass() {
      if (running.size === 0) throw new Error('no call runs with this limit');
      for (const callback of running) callback();
    },
  };
}

/** Resolves once a transaction waits for something that is described so. */
export function whenWaitingFor(what: RegExp): Promise<void> {
  return until(async () =>
    runningTransactions.on().some((each) => what.test(waitedFor(each as Transaction))),
  );
}
