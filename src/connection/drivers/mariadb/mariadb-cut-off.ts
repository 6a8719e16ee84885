import { runInFrame } from '../../context.js';
import type { MariadbConnection, MariadbPool } from './mariadb-types.js';

/** Closes a connection on which a statement runs, and has the server end that statement. */
export type CutOff = (connection: MariadbConnection, reason: Error) => void;

/**
 * The connector's own `destroy()` has the server end what runs as well, by a KILL over a connection that it opens. Where the
 * session has ended meanwhile and only we do not know it (a failover, a firewall), the server answers "Unknown thread id",
 * and that nobody can catch: an unhandled rejection, by Node's default the end of the process. So the socket is closed
 * first, after which `destroy()` has nothing to end, and the KILL is sent over a connection of the pool, which has room for
 * one more by then. Only behind others who wait would it come late: then it is left to the connector.
 */
export function cutOffIn(pool: MariadbPool, getConnection: MariadbPool['getConnection']): CutOff {
  return (connection, reason) => {
    const { threadId, info } = connection;
    if (threadId !== null && info.fatalError && !pool.closed && pool.taskQueueSize() === 0) {
      info.fatalError(reason, true);
      // What is in its way is of no account: the session is gone, or ends when it writes to the closed socket.
      runInFrame(undefined, () => kill(threadId, getConnection.call(pool))).catch(() => {});
    }
    connection.destroy();
  };
}

async function kill(threadId: number, borrowed: Promise<MariadbConnection>): Promise<void> {
  const connection = await borrowed;
  try {
    await connection.query(`KILL ${threadId}`);
  } finally {
    await connection.release();
  }
}
