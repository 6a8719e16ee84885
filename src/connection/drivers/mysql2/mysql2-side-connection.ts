import { runInFrame } from '../../context.js';
import {
  DriverSideConnection,
  type SideConnection,
  type SideConnectionOptions,
  type SideRow,
  withinLimit,
} from '../../side-connection.js';
import type { MysqlConnection, MysqlConnectionClass, MysqlPool } from './mysql2-types.js';
import { connectionClassOf } from './recorded-call.js';

/** How rows are handed on by default: the application may have chosen otherwise. */
const PLAIN = { rowsAsArray: false, nestTables: undefined, typeCast: true, namedPlaceholders: false };

/** Opens a connection as the pool does, which the pool does not count. Rejects with the driver's error. */
export async function openMysql2Beside(
  pool: MysqlPool,
  { applicationName, limitMs, clock }: SideConnectionOptions,
): Promise<SideConnection> {
  const { connectionConfig } = pool.config;
  const members = {
    ...Object.getOwnPropertyDescriptors(connectionConfig),
    ...Object.getOwnPropertyDescriptors({
      ...PLAIN,
      pool: undefined,
      connectTimeout: 0,
      connectAttributes: { ...connectionConfig.connectAttributes, program_name: applicationName },
    }),
  };
  const config = Object.create(Object.getPrototypeOf(connectionConfig) as object, members) as object;
  // The pool's own class gives the connection back to the pool when it ends.
  const Connection = Object.getPrototypeOf(connectionClassOf(pool)) as MysqlConnectionClass;
  const connection = runInFrame(undefined, () => new Connection({ config }));
  const side = new DriverSideConnection(
    {
      get toldId() {
        return connection.threadId ?? undefined;
      },
      isOfPool: false,
      query: (sql) => run(connection, sql),
      sayGoodbye: () => new Promise<void>((resolve) => void connection.end(() => resolve())),
      destroy: () => connection.stream.destroy(),
    },
    clock,
  );
  connection.on('error', () => side.lost());
  connection.on('end', () => side.lost());
  const connect = (): Promise<void> =>
    new Promise((resolve, reject) => connection.connect((error) => (error ? reject(error) : resolve())));
  try {
    await runInFrame(undefined, () => withinLimit<unknown>(connect(), { clock, limitMs }));
  } catch (error) {
    side.destroy();
    throw error;
  }
  connection.stream.unref?.();
  return side;
}

function run(connection: MysqlConnection, sql: string): Promise<readonly SideRow[]> {
  return new Promise((resolve, reject) => {
    connection.query({ sql, ...PLAIN }, (error: Error | null, rows: unknown) =>
      error ? reject(error) : resolve(Array.isArray(rows) ? (rows as SideRow[]) : []),
    );
  });
}
