import type { ServerFacts } from '../database/session.js';

/** What a migration in code is given: `export async function up(context: MigrationContext)`. */
export interface MigrationContext {
  /**
   * One statement, with its parameters as the driver writes them: `$1` on PostgreSQL, `?` on MySQL and MariaDB. Resolves
   * to its rows; rejects with the driver's error.
   */
  sql<Row extends object = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
  ): Promise<Row[]>;
  /** The driver's own connection: a `pg.Client`, a connection of mysql2 or of the mariadb connector. */
  readonly native: object;
  /** The declared placeholders. */
  readonly placeholders: Readonly<Record<string, string>>;
  /** Tells whoever watches the run: a `note` event. */
  log(message: string): void;
  /** Aborted when the run is asked to stop: a long loop ends at the next row that it can stop at. */
  readonly signal: AbortSignal;
  readonly server: ServerFacts;
}

/** What the module of a migration in code exports. */
export interface CodeMigration {
  up(context: MigrationContext): Promise<unknown>;
  down?(context: MigrationContext): Promise<unknown>;
  /**
   * Whether it runs in a transaction, together with its row of the history. Default: true. With false a failure leaves
   * behind what was done.
   */
  readonly transaction?: boolean;
}
