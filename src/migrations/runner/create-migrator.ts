import { getLogger } from '../../core/index.js';
import { openDatabase } from '../database/open-database.js';
import { patientPool } from '../database/patient-pool.js';
import type { Database } from '../database/session.js';
import type { MigrationEvent, MigrationListener } from '../events.js';
import type { History } from '../history/history.js';
import { Journal } from '../history/journal.js';
import { openHistory } from '../history/open-history.js';
import type { Migrator } from '../migrator.js';
import { type MigratorOptions, type ParsedMigratorOptions, readMigratorOptions } from '../options.js';
import { resolveMigrations } from '../sources/resolve-migrations.js';
import { placed, takeSearchPath } from './search-path.js';
import { explainOwnError } from './explain-own-error.js';
import { HiddenValues } from './hide-values.js';
import type { RunContext } from './run-context.js';
import { scriptValues } from './script-values.js';
import { UnprotectedTables } from './unprotected-tables.js';
import { whileWaiting } from './while-waiting.js';

/**
 * Makes a migrator of one database. Opens nothing yet: every method opens a session of its own and closes it.
 *
 * Throws `InvalidOptionsError` for options that cannot be.
 *
 * @example
 * ```ts
 * const migrator = createMigrator({ url: process.env.DATABASE_URL, directories: ['migrations'] });
 * const { applied } = await migrator.up();
 * await migrator.close();
 * ```
 */
export function createMigrator(options: MigratorOptions): Migrator {
  return new DatabaseMigrator(readMigratorOptions(options));
}

type LoadWork<T> = () => Promise<(context: RunContext) => Promise<T>>;

/** A command is loaded when it is called, while its session is opened: `status` does not wait for what only `up` needs. */
class DatabaseMigrator implements Migrator {
  readonly #options: ParsedMigratorOptions;
  readonly #emit: MigrationListener;
  #database: Promise<Database> | undefined;

  constructor(options: ParsedMigratorOptions) {
    this.#options = options;
    this.#emit = guarded(withoutValues(options));
  }

  up: Migrator['up'] = (options) =>
    this.#with(async () => {
      const { up } = await import('./commands/up.js');
      return (context) => up(context, options);
    });
  undo: Migrator['undo'] = (options) =>
    this.#with(async () => {
      const { undo } = await import('./commands/undo.js');
      return (context) => undo(context, options);
    });
  status: Migrator['status'] = () =>
    this.#comparing(async () => (await import('./commands/status.js')).status);
  validate: Migrator['validate'] = () =>
    this.#with(async () => (await import('./commands/validate.js')).validate);
  repair: Migrator['repair'] = () => this.#with(async () => (await import('./commands/repair.js')).repair);
  baseline: Migrator['baseline'] = (options) =>
    this.#with(async () => {
      const { baseline } = await import('./commands/baseline.js');
      return (context) => baseline(context, options);
    });
  adopt: Migrator['adopt'] = (options) =>
    this.#with(async () => {
      const { adopt } = await import('./commands/adopt.js');
      return (context) => adopt(context, options);
    });
  dryRun: Migrator['dryRun'] = (options) =>
    this.#with(async () => {
      const { dryRun } = await import('./commands/dry-run.js');
      return (context) => dryRun(context, options);
    });
  lockHolder: Migrator['lockHolder'] = () =>
    this.#reading(async () => (await import('./commands/unlock.js')).lockHolder);
  unlock: Migrator['unlock'] = () => this.#reading(async () => (await import('./commands/unlock.js')).unlock);

  async doctor(): ReturnType<Migrator['doctor']> {
    const { doctor } = await import('./commands/doctor.js');
    return doctor({
      options: this.#options,
      openDatabase: () => this.#open(),
      with: (work) => this.#reading(() => Promise.resolve(work)),
    });
  }

  async close(): Promise<void> {
    const database = this.#database;
    this.#database = undefined;
    await (await database?.catch(() => undefined))?.close();
  }

  /** For what may run files: they find their search path. */
  #with<T>(load: LoadWork<T>): Promise<T> {
    return this.#comparing(async () => {
      const work = await load();
      return async (context) => {
        await takeSearchPath(context);
        return work(context);
      };
    });
  }

  /** For what compares the files with the history: they are read while the session is opened. */
  #comparing<T>(load: LoadWork<T>): Promise<T> {
    return this.#reading(async () => {
      const work = await load();
      const sources = whileWaiting(() => resolveMigrations(this.#options));
      return (context) => work({ ...context, sources });
    });
  }

  async #reading<T>(load: LoadWork<T>): Promise<T> {
    const database = await this.#open();
    const opening = database.open();
    const loading = whileWaiting(load);
    const session = await opening;
    let history: History | undefined;
    try {
      const { product, version } = session.server;
      this.#emit({ kind: 'connected', database: database.description, server: `${product} ${version}` });
      const { options, home, place } = await placed(this.#options, database, session);
      history = await openHistory(session, options.history, place);
      const work = await loading;
      return await work({
        options,
        database,
        session,
        history,
        home,
        journal: new Journal(history, session.dialect),
        unprotected: new UnprotectedTables(session, place.schema),
        valuesFor: scriptValues(options, place),
        emit: this.#emit,
      });
    } catch (error) {
      throw explainOwnError(error, { session, history });
    } finally {
      await session.end();
    }
  }

  #open(): Promise<Database> {
    this.#database ??= this.#find();
    return this.#database;
  }

  async #find(): Promise<Database> {
    const { pool, clock, acquireTimeoutMs: limitMs } = this.#options;
    const database = await openDatabase(this.#options);
    if (pool === undefined) return database;
    const onWait = (message: string): void => this.#emit({ kind: 'note', message });
    return patientPool(database, { clock, limitMs, onWait });
  }
}

/** The server's words are in a warning; a note is ours. */
function withoutValues({ onEvent, placeholders }: ParsedMigratorOptions): MigrationListener {
  const hidden = new HiddenValues(placeholders);
  return (event) => {
    if (event.kind !== 'warning') return onEvent(event);
    const { warning } = event;
    onEvent({ ...event, warning: { ...warning, message: hidden.in(warning.message) } });
  };
}

/** A listener that throws loses the event; it never disturbs what it is told about. */
function guarded(listener: MigrationListener): MigrationListener {
  return (event: MigrationEvent) => {
    try {
      listener(event);
    } catch (error) {
      getLogger().warn(
        { event: event.kind, error: error instanceof Error ? error.message : String(error) },
        'onEvent of a migrator threw; the run goes on',
      );
    }
  };
}
