export { ManualClock } from './manual-clock.js';
export { expectNoOpenTransactions } from './expect-no-open-transactions.js';
export { rollbackPerTest } from './rollback-per-test.js';
export type { RollbackPerTestOptions } from './rollback-per-test.js';
export { expectNoLeaks } from './expect-no-leaks.js';
export type { ExpectNoLeaksOptions } from './expect-no-leaks.js';
export { LeakedConnectionError } from './leaked-connection-error.js';
export type { RegisterHook } from './runner-hooks.js';
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
  RecordingMariadbConnection,
  RecordingMysql2Client,
  RecordingMysql2Connection,
} from './recording-clients.js';
