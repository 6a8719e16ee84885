import { once } from 'node:events';
import { Socket } from 'node:net';
import { InvalidOptionsError, settledWithin, systemClock } from '../../../core/index.js';
import { DatabaseUnreachableError } from '../../errors.js';
import { describeAddress, type ConnectionUrl } from '../connection-url.js';
import type { Database } from '../session.js';
import { unreachable } from '../unreachable.js';
import { readUrlPlace } from '../url-place.js';
import { sendCancelRequest } from './pg-cancel.js';
import { PgSession, type PgSessionParts } from './pg-session.js';
import type { PgClient, PgConnection, PgModule, PgPool, PgPoolClient } from './pg-types.js';

export const APPLICATION_NAME = 'holdfast migrate';

const CONNECT_TIMEOUT_MS = 10_000;
/** How long a connection may take to close before its socket is destroyed. */
const CLOSE_TIMEOUT_MS = 2000;

/** Sessions of connections that are opened for this run. Throws `InvalidOptionsError` for a url that cannot be followed. */
export function pgDatabaseOfUrl(url: string, parsed: ConnectionUrl, driver: PgModule): Database {
  const place = readUrlPlace(parsed);
  const seconds = Number(parsed.params.get('connect_timeout') ?? Number.NaN);
  const options = {
    connectionString: withoutDeprecatedMode(url, parsed),
    application_name: APPLICATION_NAME,
    connectionTimeoutMillis: seconds > 0 ? seconds * 1000 : CONNECT_TIMEOUT_MS,
    keepAlive: true,
    // The driver's own choice of a socket loads undici, which takes as long as the driver does.
    stream: () => new Socket(),
  };
  // The driver fills in what the url leaves out, from the environment.
  const { host, port, user, database } = makeClient(driver, options);
  const description = describeAddress({ scheme: 'postgres', user, host, port, database });
  return {
    dialect: 'postgres',
    description,
    place,
    close: () => Promise.resolve(),
    async open() {
      const client = makeClient(driver, options);
      // Before it is connected as well: an error event without a listener would end the process.
      client.on('error', () => {});
      try {
        await client.connect();
        return await takeOver(client, {
          searchPath: place.searchPath,
          discard: () => closeClient(client),
          cancel: () => sendCancelRequest(client, () => makeClient(driver, options)),
        });
      } catch (error) {
        await closeClient(client);
        throw unreachable(description, error);
      }
    },
  };
}

/**
 * `pg` takes these modes as verify-full, and warns on stderr that its next major version will not. They are written as
 * what they are, so that the warning is kept from who deploys, and a new `pg` verifies as before.
 */
function withoutDeprecatedMode(url: string, { params }: ConnectionUrl): string {
  if (params.get('uselibpqcompat') === 'true') return url;
  return url.replace(/([?&]sslmode=)(?:prefer|require|verify-ca)(?=&|$)/g, '$1verify-full');
}

/** Sessions that a pool of the application lends. Each is destroyed afterwards: what migrations have set stays on it. */
export function pgDatabaseOfPool(pool: PgPool): Database {
  let description = 'the pool of pg';
  return {
    dialect: 'postgres',
    get description() {
      return description;
    },
    close: () => Promise.resolve(),
    async open() {
      const { runInFrame } = await import('../../../connection/index.js');
      let client: PgPoolClient;
      try {
        // A migration is no part of the transaction that its caller may be in.
        client = await runInFrame(undefined, () => pool.connect());
      } catch (error) {
        throw unreachable(description, error);
      }
      const discard = (): Promise<void> => giveBack(client);
      try {
        const { host, port, user, database } = client;
        description = describeAddress({ scheme: 'postgres', user, host, port, database });
        const Client = client.constructor as new (options: object) => PgClient;
        const session = await takeOver(client, {
          discard,
          cancel: () => sendCancelRequest(client, () => new Client(pool.options)),
        });
        if (!session.inTransaction) return session;
        await session.end();
        throw new DatabaseUnreachableError(
          `The pool of ${description} lent a connection that is inside a transaction of somebody who gave it back open. It was destroyed; find who does that, and run again.`,
        );
      } catch (error) {
        if (error instanceof DatabaseUnreachableError || error instanceof InvalidOptionsError) throw error;
        throw unreachable(description, error);
      }
    },
  };
}

function takeOver(client: PgClient, parts: PgSessionParts): Promise<PgSession> {
  const connection = readConnection(client);
  // The application's limits for its requests are none for a migration; and in pipeline mode there is no COPY.
  if (client.connectionParameters?.query_timeout) client.connectionParameters.query_timeout = 0;
  if (client.pipeline) client.pipeline = false;
  return PgSession.open(client, connection, parts);
}

function readConnection({ connection }: PgClient): PgConnection {
  if (connection) return connection;
  throw new InvalidOptionsError(
    'The pool is of pg-native, which cannot run migrations. Give a url, or a pool of pg itself.',
  );
}

function makeClient(driver: PgModule, options: object): PgClient {
  try {
    return new driver.Client(options);
  } catch (error) {
    // Neither the error nor a cause: what pg throws for a url can hold it.
    const { code } = error as { code?: unknown };
    const file = code === 'ENOENT' || code === 'EACCES' ? ' A file that it names cannot be read.' : '';
    throw new InvalidOptionsError(`pg cannot read the database url or its parameters.${file}`);
  }
}

async function closeClient(client: PgClient): Promise<void> {
  await settledWithin(systemClock, CLOSE_TIMEOUT_MS, client.end());
  client.connection?.stream.destroy();
}

async function giveBack(client: PgPoolClient): Promise<void> {
  const { connection } = client;
  const closed = connection ? once(connection, 'end') : Promise.resolve();
  client.release(true);
  await settledWithin(systemClock, CLOSE_TIMEOUT_MS, closed);
  connection?.stream.destroy();
}
