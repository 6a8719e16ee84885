import { type ManageablePool, type ManagedPool, openBeside } from '../../connection/index.js';
import { KeptConnection } from './kept-connection.js';
import { sessionWords } from './session-words.js';

export interface KeepConnectionOptions {
  /** This process among those of the service: the server shows it as the name of the connection. */
  readonly instance: string;
  /** Opens the connection with another pool's options: that of the server itself, where the pool goes through a pooler. */
  readonly through?: ManageablePool | undefined;
}

/** What the server shows as the name of a monitor's connection, before the name of the process. */
export const MONITOR_NAME = 'holdfast-monitor:';

/** PostgreSQL cuts a longer `application_name` off. */
const NAME_BYTES = 63;

/** The connection of a monitor to a pool's server. It opens at `start()`. */
export function keepConnection(
  pool: ManagedPool,
  { instance, through }: KeepConnectionOptions,
): KeptConnection {
  const { clock } = pool;
  const applicationName = nameOf(instance);
  return new KeptConnection({
    pool: pool.name,
    clock,
    words: sessionWords(pool.dialect),
    isOver: () => pool.ended,
    open(limitMs) {
      const options = { applicationName, limitMs, clock };
      if (through) return openBeside(through, options);
      if (pool.openBeside) return pool.openBeside(options);
      return Promise.reject(new Error('this kind of database has no server'));
    },
  });
}

/** PostgreSQL shows a character that is not ASCII as a question mark. */
function nameOf(instance: string): string {
  return `${MONITOR_NAME}${instance.replaceAll(/[^\x20-\x7e]/g, '?')}`.slice(0, NAME_BYTES);
}
