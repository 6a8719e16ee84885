// Without ".js": jest loads its global setup with Node's own require, which knows no name mapping.
import { executableOf, findOrInstall } from './apt';

const folders = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin'];

/** Finds PgBouncer, or installs it where this process is root on a system with apt. */
export function findPgbouncer(): string {
  return findOrInstall({
    name: 'PgBouncer',
    packages: 'pgbouncer',
    missing: `there is no pgbouncer in PATH or ${folders.join(', ')}`,
    otherwise: 'Or set HOLDFAST_TEST_PGBOUNCER to its executable.',
    look: () => executableOf(['pgbouncer'], folders),
  });
}
