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
import {
  type AnswerStatement,
  clientOf,
  dialectOf,
  type RecordingClients,
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
      session: new RecordingSession(this.dialect),
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
    return clientOf(this.#driver, async (statement) => {
      const scope = scopeOf();
      if (!scope) return this.#answer(statement);
      return scope.submit({
        text: statement.text,
        run: (session, prefix) =>
          (session as RecordingSession).run(prefix, async () => this.#answer(statement)),
      });
    });
  }
}

/** Where a transaction stands, as the server would say. */
class RecordingSession implements Session {
  readonly #dialect: Dialect;
  readonly backendId = undefined;
  readonly streaming = false;
  #lost: Error | undefined;
  #status: SessionStatus = 'idle';

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
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

  async run<T>(prefix: readonly string[], work: () => Promise<T>): Promise<T> {
    for (const text of prefix) await this.control(text);
    try {
      return await work();
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
