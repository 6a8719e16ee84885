import { type Dialect, postgresDialect, systemClock } from '../core/index.js';
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

/** A statement that was asked of a recording data source. */
export interface RecordedStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Answers a statement: with its rows, or a promise of them; what it throws is the server's error. */
export type AnswerStatement = (
  statement: RecordedStatement,
) => readonly object[] | Promise<readonly object[]>;

/** The part of a `pg.Pool`, and of its clients, that a recording data source has. */
export interface RecordingClient {
  query(
    query: string | { readonly text: string; readonly values?: readonly unknown[] },
    values?: readonly unknown[],
  ): Promise<{ rows: object[]; rowCount: number }>;
  connect(): Promise<RecordingClient>;
  release(): void;
}

/** A managed pool without connections: its statements are answered by a function. */
export class RecordingPool implements ManagedPool {
  readonly dialect: Dialect = postgresDialect;
  readonly clock = systemClock;
  readonly serving = true;
  readonly native: RecordingClient;
  readonly source: ManagedSource;
  readonly #answer: AnswerStatement;
  ended = false;

  constructor(record: NonNullable<ManagedSource['record']>, name: string, answer: AnswerStatement) {
    this.source = { name, primary: this, replicas: [], record };
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
      session: new RecordingSession(),
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

  #client(scopeOf: () => AmbientScope | undefined): RecordingClient {
    const client: RecordingClient = {
      query: async (query, values) => {
        const { text, values: own } = typeof query === 'string' ? { text: query } : query;
        const statement = { text, values: values ?? own ?? [] };
        const scope = scopeOf();
        const rows = scope
          ? await scope.submit({
              text,
              run: (session, prefix) =>
                (session as RecordingSession).run(prefix, async () => this.#answer(statement)),
            })
          : await this.#answer(statement);
        return { rows: [...rows], rowCount: rows.length };
      },
      connect: () => Promise.resolve(client),
      release: () => {},
    };
    return client;
  }
}

/** Where a transaction stands, as PostgreSQL would say: a statement that fails makes it fail. */
class RecordingSession implements Session {
  readonly backendId = undefined;
  readonly streaming = false;
  #lost: Error | undefined;
  #status: SessionStatus = 'idle';

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
      this.#status = 'failed';
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
