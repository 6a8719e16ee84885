import { FROM_THE_LOCK_ON, IN_ONE_TRANSACTION, testCrashes } from './crash-grid.js';
import { usePostgres } from './workspace.js';

describe('PostgreSQL, in one transaction', () => {
  // What one transaction holds travels together, with the row of the history and COMMIT.
  testCrashes(usePostgres(), {
    files: IN_ONE_TRANSACTION,
    first: FROM_THE_LOCK_ON,
    atLeast: { kills: 1, losses: 9 },
  });
});
