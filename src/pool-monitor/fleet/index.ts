export { DatabaseFleet } from './database-fleet.js';
export type { DatabaseFleetOptions } from './database-fleet.js';
