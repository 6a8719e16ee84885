export { parseStatusPageOptions, statusPage } from './status-page.js';
export type { StatusAuthorizer, StatusHandler, StatusPageOptions } from './status-page.js';
export { passwordGuard } from './password-guard.js';
export { leaseWords } from './tables.js';
export { readStatus } from './status-document.js';
export type { PoolStatus, StatusDocument } from './status-document.js';
