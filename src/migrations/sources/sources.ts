import type { ResolvedCallback } from '../events.js';
import type { ResolvedMigration } from '../migration.js';

/** Where migrations are looked for: the part of `ParsedMigratorOptions` that says it. */
export interface SourceOptions {
  /** Relative to `cwd`. A file in two of them by way of a link is found once. */
  readonly directories: readonly string[];
  readonly cwd: string;
  /** Whether folders inside them are looked at. Prisma's folders, which are migrations, are in either case. */
  readonly recursive: boolean;
}

/** A file that looks like a migration's neighbour and is none; it stops nothing. */
export interface IgnoredFile {
  /** The path below its directory, with `/`. */
  readonly script: string;
  /** Why it is not run, and what to do where it was meant to be: a sentence. */
  readonly reason: string;
}

/** What the directories hold. */
export interface MigrationSources {
  /** Versioned ones, baselines and undos by version, then repeatable ones by description. */
  readonly migrations: readonly ResolvedMigration[];
  /** In the order of `CALLBACK_MOMENTS`, those of one moment by description. */
  readonly callbacks: readonly ResolvedCallback[];
  readonly ignored: readonly IgnoredFile[];
}

/**
 * Finds the migrations of the directories and reads each file once, for its checksums.
 *
 * Throws `InvalidMigrationsError`, with everything that is wrong, for a directory or file that cannot be read, a name
 * that was meant to be a migration's and is none, and two files with one version, description or callback.
 */
export type ResolveMigrations = (options: SourceOptions) => Promise<MigrationSources>;
