import { runInFrame } from '../../context.js';
import {
  DriverSideConnection,
  type SideConnection,
  type SideConnectionOptions,
  type SideRow,
  withinLimit,
} from '../../side-connection.js';
import type { PgPool } from './pg-types.js';

interface PgNotification {
  readonly channel: string;
  readonly payload?: string;
  readonly processId: number;
}

/** The application's own type parsers may make anything of a value: here each is the text that the server sent. */
const AS_TEXT = { getTypeParser: () => (value: unknown) => value };

/** Opens a client as the pool does, which the pool does not count. Rejects with the driver's error. */
export async function openPgBeside(
  pool: PgPool,
  { applicationName, limitMs, clock }: SideConnectionOptions,
): Promise<SideConnection> {
  const client = runInFrame(undefined, () => new pool.Client(optionsOf(pool)));
  // Whichever way it was configured: a connection string wins over the option.
  client.connectionParameters.application_name = applicationName;
  client.connectionParameters.query_timeout = false;
  const destroy = (): void => client.connection.stream.destroy();
  const side = new DriverSideConnection(
    {
      get toldId() {
        return client.processID ?? undefined;
      },
      isOfPool: false,
      query: async (text) => rowsOf(await client.query({ text, types: AS_TEXT })),
      sayGoodbye: () => client.end(),
      destroy,
    },
    clock,
  );
  client.on('error', () => side.lost());
  client.on('end', () => side.lost());
  client.on('notification', ({ channel, payload, processId }: PgNotification) =>
    side.onNotification?.({ channel, payload: payload ?? '', backendId: processId }),
  );
  try {
    await runInFrame(undefined, () => withinLimit<unknown>(client.connect(), { clock, limitMs }));
  } catch (error) {
    side.destroy();
    throw error;
  }
  client.connection.stream.unref?.();
  return side;
}

/** pg-pool hides the password from whoever copies its options. */
function optionsOf({ options }: PgPool): object {
  const { password } = options;
  return {
    ...options,
    ...(password !== undefined && { password }),
    keepAlive: true,
    pipeline: false,
    connectionTimeoutMillis: 0,
  };
}

function rowsOf(result: unknown): readonly SideRow[] {
  return (result as { readonly rows: readonly SideRow[] }).rows;
}
