import { EACH_ALONE, FROM_THE_JOURNAL_ON, testCrashes } from './crash-grid.js';
import { usePostgres } from './workspace.js';

describe('PostgreSQL, without a transaction', () => {
  testCrashes(usePostgres(), {
    files: EACH_ALONE,
    first: FROM_THE_JOURNAL_ON,
    atLeast: { kills: 10, losses: 20 },
  });
});
