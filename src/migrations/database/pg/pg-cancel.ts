import type { PgClient } from './pg-types.js';

const LIMIT_MS = 10_000;

/**
 * Asks the server to end what `target` runs, over a connection of its own, which needs no login and no free place.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS. Never rejects.
 */
export function sendCancelRequest(target: PgClient, makeClient: () => PgClient): Promise<void> {
  const { host, port, processID, secretKey } = target;
  if (processID === null) return Promise.resolve();
  return new Promise((resolve) => {
    const { connection, ssl } = makeClient();
    if (!connection) return resolve();
    const send = (): void => connection.cancel(processID, secretKey);
    connection.on('connect', () => {
      if (!ssl) send();
      else if (connection.sslNegotiation !== 'direct') connection.requestSsl();
    });
    connection.on('sslconnect', send);
    connection.on('error', () => resolve());
    connection.on('end', () => resolve());
    connection.stream.setTimeout(LIMIT_MS, () => connection.stream.destroy());
    if (host.startsWith('/')) connection.connect(`${host}/.s.PGSQL.${port}`);
    else connection.connect(port, host);
  });
}
