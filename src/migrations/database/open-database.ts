import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isMysql2Pool } from '../../connection/index.js';
import { InvalidOptionsError } from '../../core/index.js';
import type { ParsedMigratorOptions } from '../options.js';
import { readConnectionUrl } from './connection-url.js';
import { loadDriver } from './load-driver.js';
import { pgDatabaseOfPool, pgDatabaseOfUrl } from './pg/pg-database.js';
import type { PgModule, PgPool } from './pg/pg-types.js';
import type { Database } from './session.js';

/** What of the migrator's options says where the database is. */
export type DatabaseOptions = Pick<ParsedMigratorOptions, 'url' | 'urlFile' | 'pool' | 'driver' | 'cwd'>;

/**
 * The database that the options name. Opens no connection. Throws `InvalidOptionsError` when they name none or two, for a
 * url that cannot be read, and when the driver is not installed.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const given = (['url', 'urlFile', 'pool'] as const).filter((name) => options[name] !== undefined);
  if (given.length !== 1) {
    throw new InvalidOptionsError(
      given.length === 0
        ? 'Nothing says which database to migrate: give url (or DATABASE_URL), urlFile or pool.'
        : `The options name the database more than once: ${given.join(', ')}. Give one of them.`,
    );
  }
  if (options.pool !== undefined) return databaseOfPool(options.pool);
  return databaseOfUrl(options.url ?? (await readUrlFile(resolve(options.cwd, options.urlFile!))), options);
}

function databaseOfUrl(url: string, { driver, cwd }: DatabaseOptions): Database {
  const parsed = readConnectionUrl(url);
  if ((driver ?? 'pg') === 'pg' && parsed.dialect === 'postgres')
    return pgDatabaseOfUrl(url, parsed, loadDriver('pg', cwd) as PgModule);
  throw new InvalidOptionsError(
    `The driver ${driver ?? 'pg'} cannot open a url that begins with ${parsed.scheme}:`,
  );
}

function databaseOfPool(pool: object): Database {
  if (!isMysql2Pool(pool) && 'totalCount' in pool) return pgDatabaseOfPool(pool as unknown as PgPool);
  throw new InvalidOptionsError('pool must be a pool of pg, mysql2 or mariadb.');
}

async function readUrlFile(path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException;
    throw new InvalidOptionsError(`urlFile ${path} cannot be read (${code}).`, { cause: error });
  }
  if (text.trim() !== '') return text.trim();
  throw new InvalidOptionsError(`urlFile ${path} is empty.`);
}
