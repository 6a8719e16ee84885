import type { ManagedPool } from '../../managed-pool.js';
import type { SavepointSession, SharedConnection } from '../../savepoint-part.js';
import type { SharingOptions } from '../../shared-transaction.js';
import type { Turn } from '../../turns.js';
import { MysqlSharedTransaction } from '../mysql/mysql-shared-transaction.js';
import { cutOffIn } from './mariadb-cut-off.js';
import { MariadbSavepointSession } from './mariadb-savepoint-session.js';
import { MariadbSession } from './mariadb-session.js';
import type { MariadbConnection, MariadbPool } from './mariadb-types.js';

/** On a connection of the pool itself: the connector keeps what its pool connects with to itself. */
export class MariadbSharedTransaction extends MysqlSharedTransaction<MariadbSession> {
  readonly #pool: MariadbPool;
  readonly #original: Pick<MariadbPool, 'getConnection'>;
  #connection: MariadbConnection | undefined;

  constructor(
    managed: ManagedPool,
    pool: { instance: MariadbPool; original: Pick<MariadbPool, 'getConnection'> },
    options: SharingOptions,
  ) {
    super(managed, options);
    this.#pool = pool.instance;
    this.#original = pool.original;
  }

  servesPool(native: object): boolean {
    return native === this.#pool;
  }

  protected async connect(): Promise<MariadbSession> {
    this.#connection = await this.#original.getConnection.call(this.#pool);
    const cutOff = cutOffIn(this.#pool, this.#original.getConnection);
    return new MariadbSession(this.#connection, { onRest: () => {}, cutOff });
  }

  protected savepointSession(connection: SharedConnection<MariadbSession>, turn: Turn): SavepointSession {
    return new MariadbSavepointSession(connection, turn);
  }

  protected ask({ connection }: MariadbSession, text: string): Promise<Record<string, unknown>[]> {
    return connection.query({ sql: text, rowsAsArray: false, nestTables: false }) as Promise<
      Record<string, unknown>[]
    >;
  }

  /** What the test has done to the session goes with it. */
  protected async disconnect(session: MariadbSession): Promise<void> {
    session.detach();
    session.connection.destroy();
    this.#connection = undefined;
  }

  protected cutOff(): void {
    this.#connection?.destroy();
  }
}
