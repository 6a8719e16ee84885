export { HoldfastError, InvalidOptionsError, isHoldfastErrorClass, messageOf } from './errors.js';
export type { HoldfastErrorDetails } from './errors.js';
export { bindContext } from './bind-context.js';
export { cancelUntil } from './cancel-until.js';
export { CallSite } from './call-site.js';
export { codeOf, errorChain, memberOf } from './error-chain.js';
export { describeError } from './describe-error.js';
export { delay, settledWithin, systemClock } from './clock.js';
export type { Clock, Timer } from './clock.js';
export {
  invalid,
  nearest,
  optional,
  readBoolean,
  readClock,
  readDurationMs,
  readFunction,
  readInteger,
  readOneOf,
  readOptions,
  readString,
  withDefault,
} from './options.js';
export type { Reader } from './options.js';
export { getLogger, readLogger, setLogger } from './logger.js';
export type { Logger } from './logger.js';
export { imitate } from './imitate.js';
export { LinkedSet } from './linked-set.js';
export { processGlobal } from './process-global.js';
export { ISOLATION_LEVELS, mysqlDialect, postgresDialect, sqliteDialect } from './dialect.js';
export type { BeginOptions, Dialect, IsolationLevel } from './dialect.js';
