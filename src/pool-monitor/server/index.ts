export { keepConnection, MONITOR_NAME } from './keep-connection.js';
export type { KeepConnectionOptions } from './keep-connection.js';
export type { OpenSession } from './session-facts.js';
export { KeptConnection } from './kept-connection.js';
export { ServerWatch } from './server-watch.js';
export type { ServerWatchOptions } from './server-watch.js';
export { lookAtServer } from './look-at-server.js';
export type { ServerLook } from './look-at-server.js';
