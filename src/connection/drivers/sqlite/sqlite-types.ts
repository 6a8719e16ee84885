import { messageOf } from '../../../core/index.js';

/** The parts of a Database of better-sqlite3 or sql.js that holdfast uses. Read in better-sqlite3 12 and sql.js 1.14. */
export interface SqliteDatabase {
  exec: (text: string) => unknown;
  close: () => unknown;
  /** better-sqlite3 only. */
  readonly inTransaction?: boolean;
  /** better-sqlite3 only. */
  pragma?(text: string, options: { readonly simple: true }): unknown;
  /** sql.js only: closes the database and opens a copy of it, without its transaction. */
  export?: () => Uint8Array;
}

/** Whether a transaction is open on the database, according to SQLite itself. */
export function isInTransaction(database: SqliteDatabase): boolean {
  if (database.inTransaction !== undefined) return database.inTransaction;
  // sql.js does not hand out SQLite's own word; a BEGIN that is refused tells it.
  try {
    database.exec('BEGIN');
  } catch (error) {
    return messageOf(error).includes('within a transaction');
  }
  database.exec('ROLLBACK');
  return false;
}

/** Whether the connection refuses writes. */
export function isQueryOnly(database: SqliteDatabase): boolean {
  // Prisma lets better-sqlite3 answer with a bigint.
  if (database.pragma) return Number(database.pragma('query_only', { simple: true })) === 1;
  const [answer] = database.exec('PRAGMA query_only') as [{ readonly values: readonly [readonly [number]] }];
  return answer.values[0][0] === 1;
}
