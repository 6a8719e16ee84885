import { tableBelow } from '../docs/markdown.js';
import { differences } from './differences.js';

test('the migration page lists each difference, in order, with a reason', () => {
  const rows = tableBelow('docs/coming-from-typeorm-transactional.md', 'Differences');

  expect(rows.map(([situation]) => situation)).toEqual(differences.map(({ title }) => title));
  expect(rows.filter(([, , , reason]) => !reason)).toEqual([]);
});
