import { FROM_THE_JOURNAL_ON, WITH_ONE_ALONE, testCrashes } from './crash-grid.js';
import { usePostgres } from './workspace.js';

describe('PostgreSQL, with a statement that stands alone', () => {
  testCrashes(usePostgres(), {
    files: WITH_ONE_ALONE,
    first: FROM_THE_JOURNAL_ON,
    atLeast: { kills: 3, losses: 8 },
  });
});
