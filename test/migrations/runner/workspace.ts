import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createMigrator } from '../../../src/migrations/index.js';
import type { MigrationEvent, Migrator, MigratorOptions } from '../../../src/migrations/index.js';
import { type TestDatabase, useDatabase } from '../../harness/database.js';
import { type MysqlDatabase, useMysqlDatabase } from '../../harness/mysql-database.js';

/** A database that migrations are run on, emptied before each test. */
export interface Engine {
  readonly driver: 'pg' | 'mysql2' | 'mariadb';
  /** Whether DDL is rolled back. */
  readonly isTransactional: boolean;
  readonly url: string;
  /** Asks over a connection of the harness. */
  query(sql: string): Promise<Record<string, unknown>[]>;
  /** The tables that migrations made, by name. */
  tables(): Promise<string[]>;
  readonly db: TestDatabase | MysqlDatabase;
}

export function usePostgres(): Engine {
  const db = useDatabase({ schema: '' });
  const query = (sql: string): Promise<Record<string, unknown>[]> => db.query(sql);
  beforeEach(async () => {
    await query('DROP SCHEMA public CASCADE');
    await query('CREATE SCHEMA public');
  });
  return {
    driver: 'pg',
    isTransactional: true,
    get url() {
      return db.url;
    },
    query,
    tables: async () =>
      namesOf(await query("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")),
    db,
  };
}

export function useMariadb(driver: 'mysql2' | 'mariadb'): Engine {
  const db = useMysqlDatabase([]);
  const query = (sql: string): Promise<Record<string, unknown>[]> => db.query(sql);
  const allTables = async (): Promise<Record<string, unknown>[]> =>
    query(
      'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1',
    );
  beforeEach(async () => {
    for (const { name } of await allTables()) await query(`DROP TABLE \`${String(name)}\``);
  });
  return {
    driver,
    isTransactional: false,
    get url() {
      return db.url;
    },
    query,
    tables: async () => namesOf(await allTables()),
    db,
  };
}

/** For `describe.each`: every driver that migrations run by. */
export const ENGINES = [
  ['pg', usePostgres],
  ['mysql2', () => useMariadb('mysql2')],
  ['mariadb', () => useMariadb('mariadb')],
] as const;

function namesOf(rows: Record<string, unknown>[]): string[] {
  return rows
    .map(({ name }) => String(name))
    .filter((name) => !/^holdfast_|schema_history$|^_prisma/.test(name));
}

/** A folder of migrations of its own for each test, and migrators of it. */
export interface Workspace {
  readonly folder: string;
  /** What the migrators of this test told so far. */
  readonly events: MigrationEvent[];
  /** Writes the files; of one that is null it removes what was there. */
  write(files: Readonly<Record<string, string | Buffer | null>>): void;
  migrator(options?: MigratorOptions): Migrator;
}

export function useWorkspace(engine: Pick<Engine, 'driver' | 'url'>): Workspace {
  let folder = '';
  const events: MigrationEvent[] = [];
  const migrators: Migrator[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-migrations-'));
    events.length = 0;
  });
  afterEach(async () => {
    await Promise.all(migrators.splice(0).map((migrator) => migrator.close()));
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    get folder() {
      return folder;
    },
    events,
    write(files) {
      for (const [name, text] of Object.entries(files)) {
        const path = join(folder, name);
        mkdirSync(dirname(path), { recursive: true });
        if (text === null) rmSync(path);
        else writeFileSync(path, text);
      }
    },
    migrator(options = {}) {
      const where = options.url === undefined && options.pool === undefined ? { url: engine.url } : {};
      const migrator = createMigrator({
        ...where,
        driver: engine.driver,
        directories: ['.'],
        cwd: folder,
        onEvent: (event) => void events.push(event),
        ...options,
      });
      migrators.push(migrator);
      return migrator;
    },
  };
}

/** The texts of the notes. */
export function notesOf(events: readonly MigrationEvent[]): string[] {
  return events.flatMap((event) => (event.kind === 'note' ? [event.message] : []));
}

/** What a promise is rejected with. */
export async function failureOf<T extends Error = Error>(work: Promise<unknown>): Promise<T> {
  try {
    await work;
  } catch (error) {
    return error as T;
  }
  throw new Error('It did not fail.');
}
