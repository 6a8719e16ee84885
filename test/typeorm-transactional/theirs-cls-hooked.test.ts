import * as theirs from 'typeorm-transactional';
import { apiExpectations } from './api-expectations.js';
import { expectations } from './expectations.js';
import { inPlaceOfOurs, useWorld } from './world.js';

const world = useWorld(inPlaceOfOurs(theirs), 'CLS_HOOKED');

expectations(world);
apiExpectations(world);
