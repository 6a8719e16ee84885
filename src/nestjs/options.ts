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

/** Options of {@link HoldfastModule}. */
export interface HoldfastModuleOptions {
  /** How long `app.close()` waits for running transactions before it rolls them back, in milliseconds. Default: 10000. */
  readonly shutdownTimeoutMs?: number;
  /** Where holdfast logs. Default: pino, where it is installed. */
  readonly logger?: Logger;
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

/** Reads the options once. Throws `InvalidOptionsError`. */
export function parseModuleOptions(raw: HoldfastModuleOptions | undefined): HoldfastModuleOptions {
  const { shutdownTimeoutMs, logger } = readOptions<{
    shutdownTimeoutMs: number | undefined;
    logger: Logger | undefined;
  }>(
    raw,
    { shutdownTimeoutMs: optional(readDurationMs), logger: optional(readLogger) },
    'HoldfastModule options',
  );
  return { ...(shutdownTimeoutMs !== undefined && { shutdownTimeoutMs }), ...(logger && { logger }) };
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
