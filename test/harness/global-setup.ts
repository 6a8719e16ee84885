import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
// Without ".js": jest loads its global setup with Node's own require, which knows no name mapping.
import { startMariadb } from './mariadb';
import { startPostgres } from './postgres';
import { setSharedServers } from './shared-server';

/** jest `globalSetup`: the generated Prisma clients, and one PostgreSQL and one MariaDB for the whole run, announced to the workers by their URLs. */
export default async function globalSetup(): Promise<void> {
  execFileSync(process.execPath, ['scripts/generate-prisma.mjs'], { stdio: 'inherit' });
  process.env['HOLDFAST_TEST_RUN'] = randomBytes(3).toString('hex');
  const [postgres, mariadb] = await Promise.all([
    process.env['HOLDFAST_TEST_PG_URL'] ? undefined : startPostgres(),
    process.env['HOLDFAST_TEST_MYSQL_URL'] ? undefined : startMariadb().catch(tellTestsThatNeedIt),
  ]);
  setSharedServers({ postgres, mariadb });
  if (postgres) process.env['HOLDFAST_TEST_PG_URL'] = postgres.url;
  if (mariadb) process.env['HOLDFAST_TEST_MYSQL_URL'] = mariadb.url;
}

/** Only the files that use MariaDB fail where there is none. */
function tellTestsThatNeedIt(error: Error): undefined {
  process.env['HOLDFAST_TEST_MYSQL_PROBLEM'] = error.message;
}
