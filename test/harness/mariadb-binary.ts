import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
// Without ".js": jest loads its global setup with Node's own require, which knows no name mapping.
import { findOrInstall } from './apt';

/** A MariaDB server on this machine: its executable, and the SQL that fills an empty data directory. */
export interface MariadbInstallation {
  readonly mariadbd: string;
  readonly systemTables: string;
}

const folders = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/usr/libexec', '/opt/homebrew/bin'];
export const otherMysqlHint =
  'Or set HOLDFAST_TEST_MYSQL_URL to a MariaDB on which you may create databases, ' +
  'for example mysql://root:secret@127.0.0.1:3306.';

/** Finds MariaDB, or installs it where this process is root on a system with apt. */
export function findMariadb(): MariadbInstallation {
  return findOrInstall({
    name: 'MariaDB',
    // The server alone: it brings no service that could be started.
    packages: 'mariadb-server-core',
    missing: `there is no mariadbd in PATH or ${folders.join(', ')}`,
    otherwise: otherMysqlHint,
    look: lookForMariadb,
  });
}

function lookForMariadb(): MariadbInstallation | undefined {
  for (const folder of [...(process.env['PATH'] ?? '').split(':'), ...folders]) {
    const mariadbd = join(folder, 'mariadbd');
    if (!existsSync(mariadbd)) continue;
    for (const share of ['mysql', 'mariadb']) {
      const directory = join(dirname(folder), 'share', share);
      const prefix = ['mysql', 'mariadb'].find((name) =>
        existsSync(join(directory, `${name}_system_tables.sql`)),
      );
      if (!prefix) continue;
      const parts = ['system_tables', 'performance_tables', 'system_tables_data'];
      const read = (part: string): string => readFileSync(join(directory, `${prefix}_${part}.sql`), 'utf8');
      return { mariadbd, systemTables: parts.map(read).join('\n') };
    }
  }
  return undefined;
}
