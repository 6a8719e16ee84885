import { FROM_THE_JOURNAL_ON, ON_MARIADB, testCrashes } from './crash-grid.js';
import { useMariadb } from './workspace.js';

describe('MariaDB by mariadb', () => {
  testCrashes(useMariadb('mariadb'), {
    sql: ON_MARIADB,
    first: FROM_THE_JOURNAL_ON,
    atLeast: { kills: 10, losses: 20 },
  });
});
