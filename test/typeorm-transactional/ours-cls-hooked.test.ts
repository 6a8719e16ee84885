import * as ours from 'holdfast/typeorm-transactional';
import { apiExpectations } from './api-expectations.js';
import { expectations } from './expectations.js';
import { useWorld } from './world.js';

const world = useWorld(ours, 'CLS_HOOKED');

expectations(world);
apiExpectations(world);
