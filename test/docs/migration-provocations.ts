import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createMigrator,
  type MigrationFailedError,
  type Migrator,
  type MigratorOptions,
} from 'holdfast/migrations';
import type { TestDatabase } from '../harness/database.js';
import type { Provocations } from './provocations.js';

const ORDERS = { 'V1__add_orders.sql': 'CREATE TABLE orders (id int PRIMARY KEY, item varchar(3));' };

type Files = Readonly<Record<string, string>>;

/** A project of its own, which is gone with the test: its files, and migrators of it on an empty schema. */
class Project {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-errors-'));
  readonly #migrators: Migrator[] = [];
  readonly #url: string;

  private constructor(db: Pick<TestDatabase, 'defer'>, url: string, files: Files) {
    this.#url = url;
    this.write(files);
    db.defer(async () => {
      await Promise.all(this.#migrators.map((migrator) => migrator.close()));
      rmSync(this.folder, { recursive: true });
    });
  }

  static async on(db: TestDatabase, files: Files, url = db.url): Promise<Project> {
    await db.query('DROP SCHEMA IF EXISTS shop CASCADE');
    await db.query('CREATE SCHEMA shop');
    return new Project(db, url, files);
  }

  write(files: Files): void {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.folder, name), text);
  }

  migrator(options: MigratorOptions = {}): Migrator {
    const where = this.#url.startsWith('postgres') ? { schema: 'shop' } : {};
    const migrator = createMigrator({
      url: this.#url,
      cwd: this.folder,
      directories: ['.'],
      ...where,
      ...options,
    });
    this.#migrators.push(migrator);
    return migrator;
  }
}

/** How the errors of migrations come about. */
export const migrationProvocations: Provocations = {
  InvalidVersionError: async (db) => (await Project.on(db, ORDERS)).migrator().up({ to: '7' }),
  InvalidMigrationsError: async (db) => {
    const project = await Project.on(db, {
      ...ORDERS,
      'V1.0__add_items.sql': 'CREATE TABLE items (id int);',
    });
    return project.migrator().up();
  },
  SqlSyntaxError: async (db) => {
    const project = await Project.on(db, { ...ORDERS, 'V2__b.sql': "INSERT INTO orders\nVALUES (1, 'pen);" });
    return project
      .migrator()
      .up()
      .catch((error: MigrationFailedError) => {
        throw error.cause;
      });
  },
  DatabaseUnreachableError: async (db) =>
    (await Project.on(db, ORDERS, 'postgres://shop:secret@127.0.0.1:1/shop'))
      .migrator({ schema: 'shop' })
      .up(),
  MissingRightsError: async (db) => {
    await db.query("CREATE ROLE clerk LOGIN PASSWORD 'clerk'");
    db.defer(async () => {
      await db.query('DROP OWNED BY clerk');
      await db.query('DROP ROLE clerk');
    });
    const url = new URL(db.url);
    Object.assign(url, { username: 'clerk', password: 'clerk' });
    const project = await Project.on(db, ORDERS, url.href);
    await db.query('GRANT USAGE ON SCHEMA shop TO clerk');
    return project.migrator().up();
  },
  StatementFailedError: async (db) => {
    const project = await Project.on(db, ORDERS);
    await project.migrator().up();
    await db.query('ALTER TABLE shop.holdfast_schema_history RENAME COLUMN checksum TO sum');
    return project.migrator().status();
  },
  ValidationFailedError: async (db) => {
    const project = await Project.on(db, ORDERS);
    await project.migrator().up();
    project.write({ 'V1__add_orders.sql': 'CREATE TABLE orders (id bigint PRIMARY KEY, item varchar(3));' });
    return project.migrator().up();
  },
  MigrationFailedError: async (db) => {
    const project = await Project.on(db, {
      ...ORDERS,
      'V2__add_items.sql': 'CREATE TABLE items (id int);\nINSERT INTO item VALUES (1);',
      'V3__add_note.sql': 'ALTER TABLE orders ADD note text;',
    });
    return project.migrator().up();
  },
  VerifyFailedError: async (db) => {
    const project = await Project.on(db, {
      ...ORDERS,
      'V2__fill.sql':
        'INSERT INTO orders VALUES (1, NULL);\n-- verify: SELECT id FROM orders WHERE item IS NULL',
    });
    return project.migrator().up();
  },
  MigrationWarningError: async (db, mariadb) => {
    const project = await Project.on(
      db,
      { ...ORDERS, 'V2__fill.sql': "INSERT IGNORE INTO orders VALUES (1, 'pencil');" },
      mariadb.url,
    );
    return project.migrator().up();
  },
  MigrationInterruptedError: async (db) => {
    // What sets something first is not sent ahead.
    const items = '-- lock-timeout: 30s\nCREATE TABLE items (id int);';
    const project = await Project.on(db, { ...ORDERS, 'V2__add_items.sql': items });
    const stop = new AbortController();
    const onEvent: MigratorOptions['onEvent'] = ({ kind }) => {
      if (kind === 'applied') stop.abort();
    };
    return project.migrator({ onEvent }).up({ signal: stop.signal });
  },
  LockBusyError: async (db) => {
    const project = await Project.on(db, { 'V1__fill.sql': 'SELECT pg_sleep(60);' });
    const [cancel, events] = [new AbortController(), new EventTarget()];
    const onEvent: MigratorOptions['onEvent'] = ({ kind }) => void events.dispatchEvent(new Event(kind));
    const started = once(events, 'started');
    const first = project.migrator({ onEvent }).up({ cancelSignal: cancel.signal });
    await started;
    try {
      return await project.migrator({ lock: { waitMs: 0 } }).up();
    } finally {
      cancel.abort();
      await first.catch(() => undefined);
    }
  },
  LockLostError: async (db) => {
    const project = await Project.on(db, {
      ...ORDERS,
      'V2__index.sql': 'CREATE INDEX CONCURRENTLY ON orders (item);',
      // Whoever thought this deployer dead.
      'afterEachMigrate.sql': "UPDATE holdfast_migration_lock SET owner = 'another deployer';",
    });
    return project.migrator({ lock: { kind: 'lease' } }).up();
  },
};
