export { ManualClock } from './manual-clock.js';
export { expectNoOpenTransactions } from './expect-no-open-transactions.js';
