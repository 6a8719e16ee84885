export { parseVersion, compareVersions } from './version.js';
export type { Version } from './version.js';
export { MIGRATION_STATES } from './state.js';
export type { MigrationState } from './state.js';
