import { settledWithin, systemClock } from '../../../core/index.js';
import { DatabaseUnreachableError } from '../../errors.js';
import { type ConnectionUrl, describeAddress } from '../connection-url.js';
import type { Database } from '../session.js';
import { unreachable } from '../unreachable.js';
import { readUrlPlace } from '../url-place.js';
import { type MariadbConnection, MariadbWire } from './mariadb-wire.js';
import { mysqlOptionsOf } from './mysql-options.js';
import { MysqlSession } from './mysql-session.js';
import type { MysqlWire } from './mysql-wire.js';
import { type Mysql2Connection, Mysql2Wire } from './mysql2-wire.js';

/** The module `mysql2`, in callback style. */
export interface Mysql2Module {
  createConnection(options: object): Mysql2Connection;
}

/** The module `mariadb`, in promise style. */
export interface MariadbModule {
  createConnection(options: object): Promise<MariadbConnection>;
}

interface Mysql2CorePool {
  getConnection(callback: (error: Error | null, connection?: Mysql2Connection) => void): void;
}

interface MariadbPool {
  getConnection(): Promise<MariadbConnection>;
}

/** Opens one connection. Rejects with the driver's error. */
type Connect = () => Promise<MysqlWire>;

const CANCEL_TIMEOUT_MS = 10_000;

export function mysql2DatabaseOfUrl(url: ConnectionUrl, driver: Mysql2Module): Database {
  readUrlPlace(url);
  const options = mysqlOptionsOf(url);
  return database(describe(url), async () => {
    const connection = driver.createConnection(options);
    const wire = new Mysql2Wire(connection);
    try {
      await new Promise<void>((resolve, reject) => {
        connection.connect((error) => (error ? reject(error) : resolve()));
      });
    } catch (error) {
      connection.destroy();
      throw error;
    }
    return wire;
  });
}

export function mariadbDatabaseOfUrl(url: ConnectionUrl, driver: MariadbModule): Database {
  readUrlPlace(url);
  const options = mysqlOptionsOf(url);
  return database(describe(url), async () => new MariadbWire(await driver.createConnection(options)));
}

export function mysql2DatabaseOfPool(pool: object): Database {
  return database('the pool of mysql2', async () => {
    const { corePoolOf, runInFrame } = await import('../../../connection/index.js');
    const core = corePoolOf(pool) as Mysql2CorePool;
    return runInFrame(
      undefined,
      () =>
        new Promise((resolve, reject) => {
          core.getConnection((error, connection) => {
            if (!connection) return reject(error ?? new Error('The pool lent no connection.'));
            resolve(new Mysql2Wire(connection, () => connection.destroy()));
          });
        }),
    );
  });
}

export function mariadbDatabaseOfPool(pool: MariadbPool): Database {
  return database('the pool of mariadb', async () => {
    const { runInFrame } = await import('../../../connection/index.js');
    const connection = await runInFrame(undefined, () => pool.getConnection());
    return new MariadbWire(connection, () => connection.destroy());
  });
}

function describe(url: ConnectionUrl): string {
  const { scheme, user, host, port, database: name, params } = url;
  const socket = params.get('socketPath') ?? params.get('socket');
  return describeAddress({ scheme, user, host: socket ?? host, port: port ?? 3306, database: name });
}

/** Sessions of connections that `connect` opens. */
function database(description: string, connect: Connect): Database {
  return {
    dialect: 'mysql',
    description,
    close: () => Promise.resolve(),
    async open() {
      try {
        const wire = await connect();
        const session = await MysqlSession.open(wire, (backendId) => killQuery(connect, backendId));
        if (!session.inTransaction) return session;
        await session.end();
        throw new DatabaseUnreachableError(
          `The pool lent a connection that is inside a transaction of somebody who gave it back open. It was destroyed; find who does that, and run again.`,
        );
      } catch (error) {
        if (error instanceof DatabaseUnreachableError) throw error;
        throw unreachable(description, error);
      }
    },
  };
}

async function killQuery(connect: Connect, backendId: number): Promise<void> {
  const killed = connect().then(async (wire) => {
    await wire.send(`KILL QUERY ${backendId}`, () => false);
    await wire.close();
  });
  // A pool may have no connection to spare.
  await settledWithin(systemClock, CANCEL_TIMEOUT_MS, killed);
}
