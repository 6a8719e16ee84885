import { readMysqlTraits } from '../../../src/migrations/sql/mysql-traits.js';
import { readPostgresTraits } from '../../../src/migrations/sql/postgres-traits.js';
import type { StatementTraits } from '../../../src/migrations/sql/traits.js';

const start = { line: 1, column: 1, offset: 0 };
const read = {
  postgres: (text: string) => readPostgresTraits({ kind: 'statement', text, start, index: 1 }, 180004),
  mysql: (text: string) => readMysqlTraits({ kind: 'statement', text, start, index: 1 }, 101111),
};
/** No two that follow one another are alike in all that is read of them. */
const TEXTS = [
  'INSERT INTO a VALUES (1)',
  'INSERT INTO a VALUES (2)',
  'INSERT INTO a (n) WITH RECURSIVE r AS (SELECT 1) SELECT * FROM r',
  'INSERT INTO a VALUES (3)',
  'INSERT INTO b VALUES (1)',
  'INSERT INTO s.b VALUES (1)',
  'INSERT INTO t.b VALUES (1)',
  'INSERT INTO b VALUES (1)',
  'insert into b values (1)',
];

describe.each(['postgres', 'mysql'] as const)('%s', (dialect) => {
  test('what an INSERT has in common with the one before is what it would be by itself', () => {
    const alone: StatementTraits[] = TEXTS.map((text) => {
      read[dialect]('INSERT INTO another_table VALUES (1)');
      return read[dialect](text);
    });
    expect(TEXTS.map((text) => read[dialect](text))).toEqual(alone);
    expect(alone.map(({ isRecursive }) => isRecursive)).toEqual(
      TEXTS.map((text) => text.includes('RECURSIVE')),
    );
    expect(alone.map(({ targets: [target] }) => [target!.schema, target!.name].join('.'))).toEqual([
      '.a',
      '.a',
      '.a',
      '.a',
      '.b',
      's.b',
      't.b',
      '.b',
      '.b',
    ]);
  });
});
