import type { ManagedPool } from '../../managed-pool.js';
import type { SavepointSession, SharedConnection } from '../../savepoint-part.js';
import type { SharingOptions } from '../../shared-transaction.js';
import type { Turn } from '../../turns.js';
import { MysqlSharedTransaction } from '../mysql/mysql-shared-transaction.js';
import { corePoolOf } from './core-pool.js';
import { Mysql2SavepointSession } from './mysql2-savepoint-session.js';
import { Mysql2Session } from './mysql2-session.js';
import type { MysqlConnection, MysqlConnectionClass, MysqlPool } from './mysql2-types.js';
import { connectionClassOf } from './recorded-call.js';

type Rows = readonly Readonly<Record<string, unknown>>[];

/** On a connection beside the pool, so that a pool of one connection, or one that ends meanwhile, makes no difference. */
export class Mysql2SharedTransaction extends MysqlSharedTransaction<Mysql2Session> {
  readonly #pool: MysqlPool;
  #connection: MysqlConnection | undefined;

  constructor(managed: ManagedPool, pool: MysqlPool, options: SharingOptions) {
    super(managed, options);
    this.#pool = pool;
  }

  servesPool(native: object): boolean {
    const there = (corePoolOf(native) as MysqlPool).config.connectionConfig;
    const here = this.#pool.config.connectionConfig;
    return (['host', 'port', 'socketPath', 'database', 'user'] as const).every(
      (part) => there[part] === here[part],
    );
  }

  protected async connect(): Promise<Mysql2Session> {
    const config = this.#pool.config.connectionConfig;
    // Without the pool's own ways: it is none of its connections.
    const Connection = Object.getPrototypeOf(connectionClassOf(this.#pool)) as MysqlConnectionClass;
    const connection = new Connection({ config });
    this.#connection = connection;
    connection.on('error', () => {});
    await new Promise<void>((resolve, reject) => {
      connection.connect((error) => (error ? reject(error) : resolve()));
    });
    this.#pool.emit('connection', connection);
    return new Mysql2Session(connection, { clock: this.clock, onRest: () => {} });
  }

  protected savepointSession(connection: SharedConnection<Mysql2Session>, turn: Turn): SavepointSession {
    return new Mysql2SavepointSession(connection, turn, this.clock);
  }

  protected ask({ connection }: Mysql2Session, text: string): Promise<Rows> {
    return new Promise((resolve, reject) => {
      connection.query(
        { sql: text, rowsAsArray: false, nestTables: false, typeCast: true },
        (error: Error | null, rows: unknown) => (error ? reject(error) : resolve(rows as Rows)),
      );
    });
  }

  protected async disconnect(session: Mysql2Session): Promise<void> {
    session.detach();
    await new Promise<void>((resolve) => session.connection.end(() => resolve()));
  }

  protected cutOff(): void {
    this.#connection?.stream.destroy();
  }
}
