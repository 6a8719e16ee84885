import { FROM_THE_JOURNAL_ON, ON_MARIADB, SMALL_ONES, testCrashes } from './crash-grid.js';
import { useMariadb } from './workspace.js';

describe('MariaDB by mariadb', () => {
  testCrashes(useMariadb('mariadb'), {
    files: ON_MARIADB,
    first: FROM_THE_JOURNAL_ON,
    atLeast: { kills: 10, losses: 20 },
  });
});

describe('small files on MariaDB by mariadb', () => {
  testCrashes(useMariadb('mariadb'), {
    files: SMALL_ONES,
    moreTables: ['c', 'ce', 'cf'],
    first: FROM_THE_JOURNAL_ON,
    atLeast: { kills: 4, losses: 8 },
  });
});
