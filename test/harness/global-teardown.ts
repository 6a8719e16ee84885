// Without ".js": jest loads its global teardown with Node's own require, which knows no name mapping.
import { endBetterSqlite3 } from './better-sqlite3';
import { dropTemplates } from './template';
import { setSharedServers, sharedServers } from './shared-server';

/** jest `globalTeardown`: stops the servers of `globalSetup`; on a PostgreSQL of the user it drops the templates. */
export default async function globalTeardown(): Promise<void> {
  await endBetterSqlite3();
  const { postgres, mariadb } = sharedServers();
  setSharedServers({});
  if (!postgres) await dropTemplates();
  if (postgres) delete process.env['HOLDFAST_TEST_PG_URL'];
  if (mariadb) delete process.env['HOLDFAST_TEST_MYSQL_URL'];
  const servers = [
    { name: 'PostgreSQL', server: postgres, list: `psql '${postgres?.url}' -c '\\l'`, signal: 'INT' },
    { name: 'MariaDB', server: mariadb, list: `SHOW DATABASES at ${mariadb?.url}`, signal: 'TERM' },
  ];
  for (const { name, server, list, signal } of servers) {
    if (!server) continue;
    if (process.env['HOLDFAST_TEST_KEEP'] !== '1') {
      await server.stop();
      continue;
    }
    await server.keep();
    process.stdout.write(
      `\nHOLDFAST_TEST_KEEP=1: the ${name} of this run is still running.\n` +
        `  list:    ${list}\n` +
        `  log:     ${server.directory}/server.log\n` +
        `  remove:  kill -${signal} ${server.pid} && sleep 1 && rm -rf ${server.directory}\n`,
    );
  }
}
