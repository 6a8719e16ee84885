import { openDatabase } from '../../../src/migrations/database/open-database.js';
import type { Database, MigrationSession } from '../../../src/migrations/database/session.js';
import { type MigratorOptions, readMigratorOptions } from '../../../src/migrations/options.js';
import type { SqlStatement } from '../../../src/migrations/sql/statement.js';
import { type TestDatabase, useDatabase } from '../../harness/database.js';
import { type MysqlDatabase, useMysqlDatabase } from '../../harness/mysql-database.js';

export const DRIVERS = ['pg', 'mysql2', 'mariadb'] as const;
export const MYSQL_DRIVERS = ['mysql2', 'mariadb'] as const;
export type Driver = (typeof DRIVERS)[number];

/** A database of its own for each test file and driver, and sessions of it that are ended after the test. */
export interface Server {
  readonly db: TestDatabase | MysqlDatabase;
  query<Row = Record<string, unknown>>(sql: string): Promise<Row[]>;
  database(options?: Partial<MigratorOptions>): Promise<Database>;
  open(options?: Partial<MigratorOptions>): Promise<MigrationSession>;
}

export function useServer(driver: Driver): Server {
  const db = driver === 'pg' ? useDatabase({ schema: '' }) : useMysqlDatabase([]);
  const database: Server['database'] = (options = {}) =>
    openDatabase(readMigratorOptions({ ...(options.pool ? {} : { url: db.url, driver }), ...options }));
  return {
    db,
    query: <Row>(sql: string) =>
      (db.query as (sql: string) => Promise<unknown>).call(db, sql) as Promise<Row[]>,
    database,
    async open(options) {
      const session = await (await database(options)).open();
      db.defer(() => session.end());
      return session;
    },
  };
}

export function statement(text: string, index = 1): SqlStatement {
  return { kind: 'statement', text, index, start: { line: 1, column: 1, offset: 0 } };
}

export function statements(...texts: readonly string[]): SqlStatement[] {
  return texts.map((text, index) => statement(text, index + 1));
}

/** What a promise rejects with. */
export async function failureOf<E extends Error = Error>(work: Promise<unknown>): Promise<E> {
  try {
    await work;
  } catch (error) {
    return error as E;
  }
  throw new Error('It did not fail.');
}
