import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
// Without ".js": jest loads its global setup with Node's own require, which knows no name mapping.
import { betterSqlite3, startBetterSqlite3 } from './better-sqlite3';
import { findChromium } from './chromium-binary';
import { startMariadb } from './mariadb';
import { findPgbouncer } from './pgbouncer-binary';
import { startPostgres } from './postgres';
import { setSharedServers } from './shared-server';

/** jest `globalSetup`: the generated Prisma clients, the binary of better-sqlite3, a Chromium, a PgBouncer, and one PostgreSQL and one MariaDB for the whole run, announced to the workers by their URLs. */
export default async function globalSetup(): Promise<void> {
  for (const script of ['generate-prisma', 'install-sqlite']) {
    execFileSync(process.execPath, [`scripts/${script}.mjs`], { stdio: 'inherit' });
  }
  process.env['HOLDFAST_TEST_RUN'] = randomBytes(3).toString('hex');
  startBetterSqlite3();
  const [postgres, mariadb] = await Promise.all([
    process.env['HOLDFAST_TEST_PG_URL'] ? undefined : startPostgres(),
    process.env['HOLDFAST_TEST_MYSQL_URL'] ? undefined : startMariadb().catch(tellTestsOf('MYSQL')),
  ]);
  have('CHROMIUM', findChromium);
  have('PGBOUNCER', findPgbouncer);
  process.env['HOLDFAST_TEST_BETTER_SQLITE3'] = betterSqlite3;
  setSharedServers({ postgres, mariadb });
  if (postgres) process.env['HOLDFAST_TEST_PG_URL'] = postgres.url;
  if (mariadb) process.env['HOLDFAST_TEST_MYSQL_URL'] = mariadb.url;
}

/** Looks for an executable, unless it is named. */
function have(thing: 'CHROMIUM' | 'PGBOUNCER', find: () => string): void {
  try {
    process.env[`HOLDFAST_TEST_${thing}`] ??= find();
  } catch (error) {
    tellTestsOf(thing)(error as Error);
  }
}

/** Only the tests that use it fail where it cannot be had. */
const tellTestsOf =
  (thing: 'MYSQL' | 'CHROMIUM' | 'PGBOUNCER') =>
  (error: Error): undefined => {
    process.env[`HOLDFAST_TEST_${thing}_PROBLEM`] = error.message;
  };
