import type { DataSource, EntityManager } from 'typeorm';
import { type SqliteDatabase, UnsupportedDriverError } from '../connection/index.js';
import type { SqliteDriverLike } from './typeorm-types.js';

/** Whether the data source is on one of the SQLite drivers that holdfast manages. */
export function isSqlite({ options }: DataSource): boolean {
  return options.type === 'better-sqlite3' || options.type === 'sqljs';
}

/** The driver's connection. Throws `UnsupportedDriverError` where it ends transactions by itself. */
export function sqliteDatabaseOf({ driver, options }: DataSource): SqliteDatabase {
  if ((options as { autoSave?: boolean }).autoSave) {
    throw new UnsupportedDriverError(
      'sql.js with autoSave exports the database after each statement, which ends the transaction that is open. Leave autoSave out, ' +
        'and call dataSource.sqljsManager.saveDatabase() outside transactions.',
    );
  }
  return (driver as unknown as SqliteDriverLike).databaseConnection;
}

type Persist = (...args: unknown[]) => Promise<unknown>;

/** The methods of an EntityManager that begin a transaction by themselves. */
const PERSISTING = ['save', 'remove', 'softRemove', 'recover'] as const;

/** Lets `begin` begin the transaction of each such method, unless it was told to do without: `{ transaction: false }`. */
export function beginForPersistence(
  manager: EntityManager,
  begin: (name: string, work: () => Promise<unknown>) => Promise<unknown>,
): void {
  for (const method of PERSISTING) {
    const original = (manager[method] as Persist).bind(manager);
    const persist: Persist = (...args) => {
      const options = args[['function', 'string'].includes(typeof args[0]) ? 2 : 1] as
        { transaction?: boolean } | undefined;
      if (options?.transaction === false) return original(...args);
      return begin(`EntityManager.${method}`, () => original(...args));
    };
    Object.defineProperty(manager, method, { value: persist, configurable: true, writable: true });
  }
}
