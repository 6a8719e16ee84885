import { DriverSharedTransaction } from '../../driver-shared-transaction.js';
import type { ManagedPool } from '../../managed-pool.js';
import type { SavepointSession, SharedConnection } from '../../savepoint-part.js';
import type { SharingOptions } from '../../shared-transaction.js';
import type { Turn } from '../../turns.js';
import { PgSavepointSession } from './pg-savepoint-session.js';
import { PgSession, type PgSessionOptions } from './pg-session.js';
import type { PgClient, PgPool, PgQuery } from './pg-types.js';

/** Its time limits are for the short transactions of an application; the shared one lasts as long as its test. */
const WITHOUT_TIME_LIMITS = `SELECT set_config(name, '0', true) FROM pg_settings
  WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')`;

/** On a connection beside the pool, so that a pool of one connection, or one that ends meanwhile, makes no difference. */
export class PgSharedTransaction extends DriverSharedTransaction<PgSession> {
  readonly #pool: PgPool;
  #client: PgClient | undefined;

  constructor(managed: ManagedPool, pool: PgPool, options: SharingOptions) {
    super(managed, options);
    this.#pool = pool;
  }

  servesPool(native: object): boolean {
    const there = new (native as PgPool).Client((native as PgPool).options) as PgClientAddress;
    const here = new this.#pool.Client(this.#pool.options) as PgClientAddress;
    return (['host', 'port', 'database', 'user'] as const).every((part) => there[part] === here[part]);
  }

  protected async connect(): Promise<PgSession> {
    const { Client, options } = this.#pool;
    const client = new Client(options);
    this.#client = client;
    client.on('error', () => {});
    await client.connect();
    await options.onConnect?.(client);
    this.#pool.emit('connect', client);
    return new PgSession(client, this.#sessionOptions);
  }

  protected async prepare(session: PgSession): Promise<string> {
    await session.control(WITHOUT_TIME_LIMITS);
    const query: PgQuery = new this.#pool.Client.Query('SHOW transaction_isolation');
    const { rows } = (await session.query(query, [])) as { rows: [{ transaction_isolation: string }] };
    return rows[0].transaction_isolation.toUpperCase();
  }

  protected savepointSession(connection: SharedConnection<PgSession>, turn: Turn): SavepointSession {
    return new PgSavepointSession(connection, turn, this.#sessionOptions);
  }

  protected async close(session: PgSession): Promise<void> {
    await session.control('ROLLBACK');
    session.detach();
    await session.client.end();
  }

  protected cutOff(): void {
    // One that could not be opened has no stream.
    const { stream } = this.#client?.connection ?? {};
    stream?.destroy();
  }

  get #sessionOptions(): PgSessionOptions {
    return { pool: this.#pool, clock: this.clock, onRest: () => {} };
  }
}

type PgClientAddress = PgClient & { readonly database: string; readonly user: string };
