import type { MigratorOptions } from './options.js';

/**
 * What `holdfast.config.ts` exports: the options of `createMigrator()` without those that only code can use. Relative
 * paths in it start at the file's own folder.
 */
export type HoldfastConfig = Omit<MigratorOptions, 'pool' | 'acquireTimeoutMs' | 'cwd' | 'onEvent' | 'clock'>;

/** The configuration, or a function that makes it: to fetch a secret, to read a file. */
export type HoldfastConfigExport = HoldfastConfig | (() => HoldfastConfig | Promise<HoldfastConfig>);

/**
 * Gives the configuration file of `npx holdfast` its types. It checks nothing and answers what it was given.
 *
 * @example
 * ```ts
 * export default defineConfig({
 *   directories: ['db/migrations'],
 *   history: 'flyway',
 *   lock: { waitMs: 60_000 },
 * });
 * ```
 */
export function defineConfig(config: HoldfastConfigExport): HoldfastConfigExport {
  return config;
}
