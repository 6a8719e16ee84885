// Without ".js": jest loads its global teardown with Node's own require, which knows no name mapping.
import { dropTemplates } from './template';
import { setSharedServer, sharedServer } from './shared-server';

/** jest `globalTeardown`: stops the server of `globalSetup`; on a server of the user it drops the templates. */
export default async function globalTeardown(): Promise<void> {
  const server = sharedServer();
  if (server === undefined) {
    await dropTemplates();
    return;
  }
  setSharedServer(undefined);
  delete process.env['HOLDFAST_TEST_PG_URL'];
  if (process.env['HOLDFAST_TEST_KEEP'] !== '1') {
    await server.stop();
    return;
  }
  await server.keep();
  process.stdout.write(
    `\nHOLDFAST_TEST_KEEP=1: the PostgreSQL of this run is still running.\n` +
      `  list:    psql '${server.url}' -c '\\l'\n` +
      `  log:     ${server.directory}/server.log\n` +
      `  remove:  kill -INT ${server.pid} && sleep 1 && rm -rf ${server.directory}\n`,
  );
}
