import { runInFrame } from '../../context.js';
import {
  DriverSideConnection,
  type SideConnection,
  type SideConnectionOptions,
  type SideRow,
  withinLimit,
} from '../../side-connection.js';
import type { MariadbPool } from './mariadb-types.js';

/** How rows are handed on by default: the application may have chosen otherwise. */
const PLAIN = { rowsAsArray: false, nestTables: false, typeCast: undefined, metaAsArray: false };

/**
 * Keeps a connection of the pool: the connector shows nobody what its pool opens connections with, so that none can be
 * opened beside it. `getConnection` is the connector's own, which makes no lease. Rejects with the connector's error.
 */
export async function keepMariadbConnection(
  pool: MariadbPool,
  getConnection: MariadbPool['getConnection'],
  { limitMs, clock }: SideConnectionOptions,
): Promise<SideConnection> {
  const connection = await runInFrame(undefined, () => {
    const asked = getConnection.call(pool);
    return withinLimit(asked, { clock, limitMs }).catch((error: unknown) => {
      asked.then(
        (late) => void late.release().catch(() => {}),
        () => {},
      );
      throw error;
    });
  });
  let running = 0;
  const destroy = (): void => {
    // While a statement runs, the connector's destroy() sends a KILL, whose failure nobody hears of but the process.
    if (running > 0 && connection.info.fatalError)
      connection.info.fatalError(new Error('the monitor has given it up'), true);
    else connection.destroy();
  };
  const side: DriverSideConnection = new DriverSideConnection(
    {
      get toldId() {
        return connection.threadId ?? undefined;
      },
      isOfPool: true,
      query: async (sql) => {
        running++;
        try {
          const rows = await connection.query({ sql, ...PLAIN });
          return Array.isArray(rows) ? (rows as SideRow[]) : [];
        } finally {
          running--;
        }
      },
      // What was set on the session is not for the next who borrows it.
      sayGoodbye: () => Promise.resolve(),
      destroy,
    },
    clock,
  );
  connection.on('error', () => side.lost());
  connection.on('end', () => side.lost());
  return side;
}
