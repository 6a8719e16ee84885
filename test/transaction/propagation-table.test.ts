import {
  decide,
  PROPAGATIONS,
  type PropagationAction,
  type Surrounding,
} from '../../src/transaction/propagation.js';

/** What each mode does where it is called, as Spring and EJB have it; `closed` is our own column. */
const grid: Readonly<Record<string, readonly [PropagationAction, PropagationAction, PropagationAction]>> = {
  //             none      active     closed
  REQUIRED: ['begin', 'join', 'refuse closed'],
  REQUIRES_NEW: ['begin', 'begin', 'begin'],
  NESTED: ['begin', 'nest', 'refuse closed'],
  MANDATORY: ['refuse', 'join', 'refuse closed'],
  SUPPORTS: ['plain', 'join', 'refuse closed'],
  NOT_SUPPORTED: ['plain', 'outside', 'outside'],
  NEVER: ['plain', 'refuse', 'outside'],
};
const columns: readonly Surrounding[] = ['none', 'active', 'closed'];

test('there are seven modes, and the grid has a row for each', () => {
  expect(Object.keys(grid)).toEqual([...PROPAGATIONS]);
});

describe.each([...PROPAGATIONS])('%s', (mode) => {
  test.each(columns.map((surrounding, index) => ({ surrounding, action: grid[mode]![index]! })))(
    'where the surrounding is $surrounding: $action',
    ({ surrounding, action }) => {
      expect(decide(mode, surrounding)).toBe(action);
    },
  );
});
