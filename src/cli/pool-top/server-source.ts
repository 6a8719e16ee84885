import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { findDriver, loadDriver, type MigratorOptions } from '../../migrations/index.js';
import { lookAtServer, type ServerLook } from '../../pool-monitor/index.js';
import { UsageError } from '../usage-error.js';

type Made = Parameters<typeof lookAtServer>[0] & { end(): unknown };

/** What of each driver makes a pool. None connects before it is asked to. */
interface Drivers {
  readonly pg: { readonly Pool: new (options: object) => Made };
  readonly mysql2: { createPool(options: object): Made };
  readonly mariadb: { createPool(url: string): Made };
}

/** Looks at the server that the options name, over one connection that is its own. Throws {@link UsageError}, `InvalidOptionsError`. */
export async function openServerLook(options: MigratorOptions): Promise<ServerLook> {
  const { driver, cwd = process.cwd() } = options;
  const url = options.url ?? urlIn(resolve(cwd, options.urlFile!));
  const pool = makePool(url, driver, cwd);
  const look = await lookAtServer(pool, { name: 'server', instance: `pool top of ${hostname()}` });
  return {
    read: () => look.read(),
    async close() {
      await look.close();
      await pool.end();
    },
  };
}

function makePool(url: string, wanted: MigratorOptions['driver'], cwd: string): Made {
  if (/^postgres(?:ql)?:/i.test(url)) {
    const { Pool } = loadDriver('pg', cwd) as Drivers['pg'];
    return new Pool({ connectionString: url, max: 1 });
  }
  if (!/^(?:mysql|mariadb):/i.test(url))
    throw new UsageError('The database url must begin with postgres:, mysql: or mariadb:.');
  const isMysql2 = wanted === 'mysql2' || (wanted !== 'mariadb' && findDriver('mariadb', cwd) === undefined);
  if (isMysql2) {
    const uri = url.replace(/^mariadb:/i, 'mysql:');
    return (loadDriver('mysql2', cwd) as Drivers['mysql2']).createPool({ uri, connectionLimit: 1 });
  }
  const address = new URL(url.replace(/^mysql:/i, 'mariadb:'));
  address.searchParams.set('connectionLimit', '1');
  return (loadDriver('mariadb', cwd) as Drivers['mariadb']).createPool(address.href);
}

function urlIn(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new UsageError(`urlFile ${file} cannot be read.`, { cause: error });
  }
}
