import { FROM_THE_JOURNAL_ON, ON_MARIADB, testCrashes } from './crash-grid.js';
import { useMariadb } from './workspace.js';

describe('MariaDB by mysql2', () => {
  testCrashes(useMariadb('mysql2'), {
    sql: ON_MARIADB,
    first: FROM_THE_JOURNAL_ON,
    atLeast: { kills: 10, losses: 20 },
  });
});
