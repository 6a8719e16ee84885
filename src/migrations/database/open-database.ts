import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { InvalidOptionsError } from '../../core/index.js';
import type { ParsedMigratorOptions } from '../options.js';
import { readConnectionUrl } from './connection-url.js';
import { type DriverName, findDriver, loadDriver } from './load-driver.js';
import type { MariadbModule, Mysql2Module } from './mysql/mysql-database.js';
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

/** Which drivers open a url, the preferred one first: the mariadb connector has the better speed on both servers. */
const DRIVERS = { postgres: ['pg'], mysql: ['mariadb', 'mysql2'] } as const;

async function databaseOfUrl(url: string, { driver: wanted, cwd }: DatabaseOptions): Promise<Database> {
  const parsed = readConnectionUrl(url);
  const drivers: readonly DriverName[] = DRIVERS[parsed.dialect];
  if (wanted !== undefined && !drivers.includes(wanted)) {
    throw new InvalidOptionsError(
      `The driver ${wanted} cannot open a url that begins with ${parsed.scheme}: That takes ${drivers.join(' or ')}.`,
    );
  }
  const driver = wanted ?? drivers.find((name) => findDriver(name, cwd) !== undefined) ?? drivers.at(-1)!;
  const module = loadDriver(driver, cwd);
  if (driver === 'pg') return pgDatabaseOfUrl(url, parsed, module as PgModule);
  const { mariadbDatabaseOfUrl, mysql2DatabaseOfUrl } = await import('./mysql/mysql-database.js');
  return driver === 'mysql2'
    ? mysql2DatabaseOfUrl(parsed, module as Mysql2Module)
    : mariadbDatabaseOfUrl(parsed, module as MariadbModule);
}

async function databaseOfPool(pool: object): Promise<Database> {
  const { isMysql2Pool } = await import('../../connection/index.js');
  const { mariadbDatabaseOfPool, mysql2DatabaseOfPool } = await import('./mysql/mysql-database.js');
  if (isMysql2Pool(pool)) return mysql2DatabaseOfPool(pool);
  if (has(pool, 'getConnection', 'taskQueueSize')) return mariadbDatabaseOfPool(pool as never);
  if (has(pool, 'connect', 'query', 'totalCount')) return pgDatabaseOfPool(pool as PgPool);
  throw new InvalidOptionsError(
    'pool must be a pool of pg, of mysql2 or mysql2/promise, or of the mariadb connector (its promise API).',
  );
}

function has(pool: object, ...members: readonly string[]): boolean {
  return members.every((member) => member in pool);
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
