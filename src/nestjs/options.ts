import type { ModuleMetadata } from '@nestjs/common';
import {
  invalid,
  type Logger,
  optional,
  readDurationMs,
  type Reader,
  readFunction,
  readLogger,
  readOptions,
  withDefault,
} from '../core/index.js';
import { type PoolMonitorModuleOptions, readPoolMonitorModuleOptions } from './pool-monitor/options.js';

/** Options of {@link HoldfastModule}. */
export interface HoldfastModuleOptions {
  /** How long `app.close()` waits for running transactions before it rolls them back, in milliseconds. Default: 10000. */
  readonly shutdownTimeoutMs?: number;
  /**
   * How long a request waits for a connection of a DataSource, in milliseconds, before it fails with
   * `AcquireTimeoutError`. Default: the driver's own limit, which for pg and mysql2 is none; on SQLite 10000.
   */
  readonly acquireTimeoutMs?: number;
  /** Where holdfast logs. Default: pino, where it is installed. */
  readonly logger?: Logger;
  /**
   * Watches every pool that holdfast manages: who holds connections, what leaks, why nobody gets one. `{}` is enough.
   * Default: none.
   */
  readonly poolMonitor?: PoolMonitorModuleOptions;
}

type ProviderToken = string | symbol | (abstract new (...args: never[]) => unknown);

/** Options of `HoldfastModule.forRootAsync`, in the shape that Nest's own modules have. */
export interface HoldfastModuleAsyncOptions {
  /** Modules that export what `inject` names. Default: none. */
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
  /** The providers that `useFactory` is called with, in this order. Default: none. */
  readonly inject?: readonly (
    ProviderToken | { readonly token: ProviderToken; readonly optional: boolean }
  )[];
  /** Answers the options of `forRoot`, or a promise of them. */
  readonly useFactory: (...dependencies: never[]) => HoldfastModuleOptions | Promise<HoldfastModuleOptions>;
}

const readPoolMonitor: Reader<PoolMonitorModuleOptions> = (value, path) => {
  readPoolMonitorModuleOptions(value, path);
  return value as PoolMonitorModuleOptions;
};

/** Reads the options once. Throws `InvalidOptionsError`. */
export function parseModuleOptions(raw: HoldfastModuleOptions | undefined): HoldfastModuleOptions {
  const read = readOptions<{
    [Key in keyof HoldfastModuleOptions]-?: HoldfastModuleOptions[Key] | undefined;
  }>(
    raw,
    {
      shutdownTimeoutMs: optional(readDurationMs),
      acquireTimeoutMs: optional(readDurationMs),
      logger: optional(readLogger),
      poolMonitor: optional(readPoolMonitor),
    },
    'HoldfastModule options',
  );
  return Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined));
}

const readArray =
  <T>(): Reader<readonly T[]> =>
  (value, path) => {
    if (!Array.isArray(value)) throw invalid(path, value, 'an array');
    return value as readonly T[];
  };

/** Reads the options of `forRootAsync` once. Throws `InvalidOptionsError`. */
export function parseModuleAsyncOptions(
  raw: HoldfastModuleAsyncOptions,
): Required<HoldfastModuleAsyncOptions> {
  return readOptions<Required<HoldfastModuleAsyncOptions>>(
    raw,
    {
      imports: withDefault(readArray() as Reader<NonNullable<ModuleMetadata['imports']>>, []),
      inject: withDefault(readArray(), []),
      useFactory: readFunction(),
    },
    'HoldfastModule.forRootAsync options',
  );
}
