import { randomBytes } from 'node:crypto';
// Without ".js": jest loads its global setup with Node's own require, which knows no name mapping.
import { startPostgres } from './postgres';
import { setSharedServer } from './shared-server';

/** jest `globalSetup`: one PostgreSQL for the whole run, announced to the workers by its URL. */
export default async function globalSetup(): Promise<void> {
  process.env['HOLDFAST_TEST_RUN'] = randomBytes(3).toString('hex');
  if (process.env['HOLDFAST_TEST_PG_URL']) return;
  const server = await startPostgres();
  setSharedServer(server);
  process.env['HOLDFAST_TEST_PG_URL'] = server.url;
}
