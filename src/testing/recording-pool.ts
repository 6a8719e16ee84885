import { type Dialect, systemClock } from '../core/index.js';
import {
  ambientScope,
  type AmbientScope,
  type CommitAnswer,
  type ManagedPool,
  type ManagedSource,
  type Session,
  type SessionStatus,
  type TransactionHolder,
  type TransactionLease,
} from '../connection/index.js';
import { type MysqlCall, MysqlInTransaction } from './mysql-in-transaction.js';
import {
  type AnswerStatement,
  clientOf,
  dialectOf,
  mysqlConnection,
  type RecordedStatement,
  type RecordingClients,
  type RecordingMariadbConnection,
  type RecordingDriver,
  statusAfter,
} from './recording-clients.js';

/** A managed pool without connections: its statements are answered by a function. */
export class RecordingPool<D extends RecordingDriver> implements ManagedPool {
  readonly dialect: Dialect;
  readonly clock = systemClock;
  readonly serving = true;
  readonly observed = false;
  readonly native: RecordingClients[D];
  readonly source: ManagedSource;
  readonly #driver: D;
  readonly #answer: AnswerStatement;
  /** A connection that is in no transaction, or in that of the session which it is handed over to. */
  readonly #connection: RecordingMariadbConnection;
  #mysql: MysqlInTransaction | undefined;
  ended = false;

  constructor(
    { name, driver }: { readonly name: string; readonly driver: D },
    record: NonNullable<ManagedSource['record']>,
    answer: AnswerStatement,
  ) {
    this.dialect = dialectOf(driver);
    this.source = { name, primary: this, replicas: [], record };
    this.#driver = driver;
    this.#answer = answer;
    this.#connection = mysqlConnection(async (statement) => answer(statement));
    this.native = this.#client(() => ambientScope(this.source));
  }

  get name(): string {
    return this.source.name;
  }

  acquire({ name, frame }: TransactionHolder): Promise<TransactionLease> {
    const at = this.clock.now();
    const info = { id: 0, pool: this.name, kind: 'transaction', holder: name, frame } as const;
    return Promise.resolve({
      info: { ...info, requestedAt: at, acquiredAt: at, backendId: undefined },
      session: new RecordingSession(this.dialect, this.#connection),
      end: () => {},
    });
  }

  transactionClient(scope: AmbientScope): object {
    return this.#client(() => scope);
  }

  counts(): ReturnType<ManagedPool['counts']> {
    return { max: 1, total: 0, inUse: 0, idle: 0, pending: 0 };
  }

  leases(): [] {
    return [];
  }

  waiting(): [] {
    return [];
  }

  usage(): undefined {
    return undefined;
  }

  reclaim(): Promise<void> {
    return Promise.resolve();
  }

  observe(): () => void {
    return () => {};
  }

  settle(): Promise<'unknown'> {
    return Promise.resolve('unknown');
  }

  serve(): void {}

  unwrap(): void {
    this.ended = true;
  }

  #client(scopeOf: () => AmbientScope | undefined): RecordingClients[D] {
    const run = async (statement: RecordedStatement): Promise<object> => {
      const scope = scopeOf();
      if (!scope) return this.#answer(statement);
      const call = async (): Promise<object> => this.#answer(statement);
      return scope.submit({
        text: statement.text,
        run: (session, prefix) => (session as RecordingSession).run({ call }, prefix),
      });
    };
    const lend = (): RecordingMariadbConnection => {
      const scope = scopeOf();
      if (!scope) return this.#connection;
      return (this.#mysql ??= new MysqlInTransaction(this.source)).lend(scope);
    };
    return clientOf(this.#driver, { run, lend });
  }
}

/** Where a transaction stands, as the server would say. */
class RecordingSession implements Session {
  readonly #dialect: Dialect;
  readonly #connection: object;
  readonly backendId = undefined;
  readonly streaming = false;
  #lost: Error | undefined;
  #status: SessionStatus = 'idle';

  constructor(dialect: Dialect, connection: object) {
    this.#dialect = dialect;
    this.#connection = connection;
  }

  get lost(): Error | undefined {
    return this.#lost;
  }

  get endedByStatement(): boolean {
    return this.#status === 'idle';
  }

  status(): SessionStatus {
    return this.#status;
  }

  async run<T>({ call }: MysqlCall<T>, prefix: readonly string[]): Promise<T> {
    for (const text of prefix) await this.control(text);
    try {
      return await call(this.#connection);
    } catch (error) {
      this.#status = statusAfter(error, this.#dialect);
      throw error;
    }
  }

  async control(text: string): Promise<void> {
    this.#status = text === 'ROLLBACK' ? 'idle' : 'in transaction';
  }

  commit(): Promise<CommitAnswer> {
    const failed = this.#status === 'failed';
    this.#status = 'idle';
    return Promise.resolve(failed ? { kind: 'rolled back', error: undefined } : { kind: 'committed' });
  }

  cancel(): Promise<void> {
    return Promise.resolve();
  }

  abandon(reason: Error): void {
    this.#lost ??= reason;
  }
}
