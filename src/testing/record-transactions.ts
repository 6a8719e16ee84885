import { optional, readFunction, readOneOf, readOptions, readString, withDefault } from '../core/index.js';
import {
  DEFAULT_SOURCE,
  registerSource,
  TestTransactionError,
  type TransactionStep,
  unregisterSource,
} from '../connection/index.js';
import {
  type AnswerStatement,
  RECORDING_DRIVERS,
  type RecordingClients,
  type RecordingDriver,
} from './recording-clients.js';
import { RecordingPool } from './recording-pool.js';

/** What happened, in order: the steps of transactions, and the statements with their texts and values. */
export type RecordedStep =
  | TransactionStep
  | { readonly step: 'statement'; readonly text: string; readonly values: readonly unknown[] };

/** Options of {@link recordTransactions}. */
export interface RecordTransactionsOptions<D extends RecordingDriver = 'pg'> {
  /** The data source that it stands for. Default: `default`. */
  readonly dataSource?: string;
  /**
   * The driver whose pool it stands in for: how `pool` is asked and answers, and what a failed statement does to its
   * transaction. Default: `'pg'`.
   */
  readonly driver?: D;
  /** Answers the rows of a statement, or throws what the server would. Default: every statement is refused. */
  readonly answer?: AnswerStatement;
}

/** A data source without a database, and what was asked of it. */
export interface RecordedTransactions<D extends RecordingDriver = 'pg'> {
  /** What happened, in order. */
  readonly steps: readonly RecordedStep[];
  /** In place of the driver's pool: of a `pg.Pool` `query(text, values)` and `connect()`, of the others `query`, `execute` and `getConnection()`. */
  readonly pool: RecordingClients[D];
  /** Forgets what happened. */
  clear(): void;
  /** Gives the data source's name free again. */
  stop(): void;
}

/**
 * Stands in for a data source in a unit test: transactional methods run as they do in the application, with their
 * propagation, their rollback rules and their hooks, and each step is written down. There is no database and no
 * driver: a statement is answered by `answer`, or refused with `TestTransactionError`.
 *
 * Throws `InvalidOptionsError`, and `DuplicateDataSourceError` when the data source's name is taken.
 *
 * @example
 * ```ts
 * const recorded = recordTransactions();
 * await new OrderService(fakeOrders).place(order);
 * expect(recorded.steps).toEqual([
 *   { step: 'begin', name: 'OrderService.place' },
 *   { step: 'commit', name: 'OrderService.place' },
 * ]);
 * recorded.stop();
 * ```
 */
export function recordTransactions<D extends RecordingDriver = 'pg'>(
  options?: RecordTransactionsOptions<D>,
): RecordedTransactions<D> {
  const { dataSource, driver, answer } = readOptions<{
    dataSource: string;
    driver: RecordingDriver;
    answer: AnswerStatement | undefined;
  }>(
    options,
    {
      dataSource: withDefault(readString, DEFAULT_SOURCE),
      driver: withDefault(readOneOf(RECORDING_DRIVERS), 'pg'),
      answer: optional(readFunction<AnswerStatement>()),
    },
    'recordTransactions options',
  );
  const steps: RecordedStep[] = [];
  const pool = new RecordingPool(
    { name: dataSource, driver: driver as D },
    (step) => steps.push(step),
    (statement) => {
      steps.push({ step: 'statement', ...statement });
      if (answer) return answer(statement);
      throw new TestTransactionError(
        `A statement was asked of the recording data source "${dataSource}", which has no database. Answer it: recordTransactions({ answer }).`,
      );
    },
  );
  registerSource(pool.source);
  return {
    steps,
    pool: pool.native,
    clear: () => void steps.splice(0),
    stop() {
      pool.unwrap();
      unregisterSource(pool.source);
    },
  };
}
