import * as theirs from 'typeorm-transactional';
import { apiExpectations } from './api-expectations.js';
import { differences } from './differences.js';
import { expectations } from './expectations.js';
import { inPlaceOfOurs, useWorld } from './world.js';

const world = useWorld(inPlaceOfOurs(theirs), 'ASYNC_LOCAL_STORAGE');

expectations(world);
apiExpectations(world);

test.each(differences)('differs: $title', async ({ run, theirs: expected }) => {
  expect(await run(world)).toEqual(expected);
});
