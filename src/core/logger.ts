import { createRequire } from 'node:module';
import { join } from 'node:path';
import { invalid, type Reader } from './options.js';
import { processGlobal } from './process-global.js';

/**
 * What holdfast needs of a logger. Any pino-shaped logger fits: structured fields first, the message second.
 *
 * holdfast never logs the value of a SQL parameter, a connection string or a password. Where an error is logged, the
 * field `error` is a plain object with its name, code, constraint, table, column, schema and frames, and the same of
 * what led to it. The message of a database, a query builder or an ORM is left out, since it may hold values; that of
 * an application's own error is logged as the application wrote it.
 */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Nobody chose a logger: what needs somebody is told all the same. */
const consoleLogger: Logger = {
  debug() {},
  info() {},
  // oxlint-disable-next-line no-console -- there is nowhere else
  warn: (fields, message) => console.warn(signed(message), fields),
  // oxlint-disable-next-line no-console -- there is nowhere else
  error: (fields, message) => console.error(signed(message), fields),
};

function signed(message: string): string {
  return message.startsWith('holdfast') ? message : `holdfast: ${message}`;
}

const state = processGlobal<{ logger: Logger | undefined }>('holdfast.logger/1', () => ({
  logger: undefined,
}));

/**
 * Replaces the logger of this process. Default: a pino logger named `holdfast` when the application has pino installed;
 * when it has not, warnings and errors go to the console. `undefined` brings the default back. A logger that throws loses
 * its message and disturbs nothing else. Throws `InvalidOptionsError` for what is no logger.
 *
 * @example
 * ```ts
 * setLogger(pino({ level: 'warn' }));
 * ```
 */
export function setLogger(logger: Logger | undefined): void {
  state.logger = logger === undefined ? undefined : readLogger(logger, 'setLogger(logger)');
}

export const readLogger: Reader<Logger> = (value, path) => {
  const { debug, info, warn, error } = (value ?? {}) as Partial<Logger>;
  if (![debug, info, warn, error].every((method) => typeof method === 'function'))
    throw invalid(path, value, 'a pino-shaped logger: { debug, info, warn, error }');
  return value as Logger;
};

/** The logger in use. One that throws loses its message; it never disturbs what is logged about. */
export function getLogger(): Logger {
  return guardedLogger;
}

const guardedLogger: Logger = {
  debug: (...entry) => log('debug', entry),
  info: (...entry) => log('info', entry),
  warn: (...entry) => log('warn', entry),
  error: (...entry) => log('error', entry),
};

function log(level: keyof Logger, [fields, message]: Parameters<Logger['info']>): void {
  try {
    // Looked up at the first message, not at import.
    state.logger ??= loadPino();
    state.logger[level](fields, message);
  } catch {
    // There is nobody left to tell.
  }
}

function loadPino(): Logger {
  try {
    const requireFromApplication = createRequire(join(process.cwd(), 'package.json'));
    const pino = requireFromApplication('pino') as (options: object) => Logger;
    return pino({ name: 'holdfast' });
  } catch {
    return consoleLogger;
  }
}
