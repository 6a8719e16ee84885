import type { Clock } from '../../core/index.js';
import { DatabaseUnreachableError } from '../errors.js';
import { openWithin } from './open-within.js';
import type { Database } from './session.js';

/** How long a pool may take to lend a connection before that is told. */
const TELL_AFTER_MS = 5000;

export interface Patience {
  readonly clock: Clock;
  readonly limitMs: number;
  /** Told in a sentence that there is a wait. */
  readonly onWait: (message: string) => void;
}

/** A database whose pool may have nothing to lend: the wait for it is told, and ends. */
export function patientPool(database: Database, { clock, limitMs, onWait }: Patience): Database {
  return {
    dialect: database.dialect,
    get description() {
      return database.description;
    },
    close: () => database.close(),
    async open() {
      const timer = clock.setTimer(() => {
        onWait(
          `Waiting for a connection: for ${TELL_AFTER_MS / 1000} s ${database.description} has lent none. All of them are in use, or the server does not answer.`,
        );
      }, TELL_AFTER_MS);
      try {
        return await openWithin(database, {
          clock,
          limitMs,
          tooLate: () =>
            new DatabaseUnreachableError(
              `${database.description} has lent no connection within ${limitMs} ms: all of them are in use, or the server does not answer. Raise its limit, find out who keeps them, or give a url in place of the pool; \`acquireTimeoutMs\` is how long is waited.`,
              { retryable: true },
            ),
        });
      } finally {
        timer.clear();
      }
    },
  };
}
