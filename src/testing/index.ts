export { ManualClock } from './manual-clock.js';
export { expectNoOpenTransactions } from './expect-no-open-transactions.js';
export { rollbackPerTest } from './rollback-per-test.js';
export type { RegisterHook, RollbackPerTestOptions } from './rollback-per-test.js';
export { TestTransactionError } from '../connection/index.js';
export type { Unshareable } from '../connection/index.js';
export { recordTransactions } from './record-transactions.js';
export type { RecordedStep, RecordedTransactions, RecordTransactionsOptions } from './record-transactions.js';
export type {
  AnswerStatement,
  RecordedStatement,
  RecordingClient,
  RecordingClients,
  RecordingDriver,
  RecordingMariadbClient,
  RecordingMysql2Client,
} from './recording-clients.js';
