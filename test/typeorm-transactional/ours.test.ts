import * as ours from 'holdfast/typeorm-transactional';
import { apiExpectations } from './api-expectations.js';
import { differences } from './differences.js';
import { expectations } from './expectations.js';
import { useWorld } from './world.js';

const world = useWorld(ours, 'ASYNC_LOCAL_STORAGE');

expectations(world);
apiExpectations(world);

test.each(differences)('differs: $title', async ({ run, ours: expected }) => {
  expect(await run(world)).toEqual(expected);
});
