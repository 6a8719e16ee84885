import { StatementFailedError } from '../../errors.js';
import type { Statement } from '../../sql/statement.js';
import { takeChunk } from '../chunks.js';
import { explainDatabaseError } from '../explain-error.js';
import {
  type Behind,
  type DeferredStatement,
  explainDeferred,
  type MigrationSession,
  NotRunError,
  type RunHow,
  type ServerFacts,
  type StatementOutcome,
} from '../session.js';
import { type BatchFailure, type Companions, PgBatch, SEPARATOR } from './pg-batch.js';
import { PgCopy } from './pg-copy.js';
import type { PgClient, PgConnection, PgNotice } from './pg-types.js';
import { type ChunkHow, isRefusedAfterFailure, type SendFailure, type SentChunk } from './sent-chunk.js';
import { pgValues, withPgValues } from './pg-values.js';

/** 200 statements take 0.12 of the time that 200 queries do; more of them gain nothing. */
const CHUNK = { statements: 200, length: 256 * 1024 };

/** A setting of the session: which packet was committed last. */
const PACKET = 'holdfast.packet';
/** What the server is made to say where it was another one. */
const NOT_COMMITTED = 'holdfast: the packet before was not committed by session ';

export interface PgSessionParts {
  /** Gives the connection up: ends it, or has its pool end it. */
  readonly discard: () => Promise<void>;
  /** Has the server end what the connection runs now. */
  readonly cancel: () => Promise<void>;
  /** What the url wants in place of the server's search path. */
  readonly searchPath?: string | undefined;
}

/** A connection of `pg` that is held for the run. */
export class PgSession implements MigrationSession {
  readonly dialect = 'postgres';
  readonly driver = 'pg';
  readonly native: PgClient;
  readonly #connection: PgConnection;
  readonly #parts: PgSessionParts;
  #server: ServerFacts | undefined;
  #backendId = 0;
  #status = 'I';
  #lost: Error | undefined;
  #ended: Promise<void> | undefined;
  /** What is with the server: one packet, or two of which the second was sent ahead. */
  #inFlight: readonly PgBatch[] = [];
  #packets = 0;
  #deferred: readonly DeferredStatement[] = [];

  private constructor(client: PgClient, connection: PgConnection, parts: PgSessionParts) {
    this.native = client;
    this.#connection = connection;
    this.#parts = parts;
    connection.on('readyForQuery', this.#onReady);
    connection.on('end', this.#onEnd);
    client.on('error', this.#onError);
    client.on('notice', this.#onNotice);
  }

  /** Takes over a connected client and asks the server what it is. Rejects with the driver's error. */
  static async open(client: PgClient, connection: PgConnection, parts: PgSessionParts): Promise<PgSession> {
    const session = new PgSession(client, connection, parts);
    try {
      await session.#introduce();
    } catch (error) {
      await session.end();
      throw error;
    }
    return session;
  }

  get server(): ServerFacts {
    return this.#server!;
  }

  get searchPath(): string | undefined {
    return this.#parts.searchPath;
  }

  get backendId(): number {
    return this.#backendId;
  }

  get lost(): Error | undefined {
    return this.#lost;
  }

  get inTransaction(): boolean {
    return !this.#lost && (this.#status !== 'I' || this.#deferred.some(({ begins }) => begins));
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    if (this.#lost) throw this.#lost;
    const before = this.#takeDeferred();
    const own = before.length === 0 ? { text, values } : together([...before, { text, values }]);
    try {
      return (await this.#query(own.text, own.values)) as Row[];
    } catch (error) {
      await this.#ready();
      this.#deferAgain(before);
      throw explainDeferred(before, error as Error);
    }
  }

  defer(statement: DeferredStatement): void {
    this.#deferred = [...this.#deferred, statement];
  }

  placeholder(number: number): string {
    return `$${number}`;
  }

  quote(name: string): string {
    return `"${name.replaceAll('"', '""')}"`;
  }

  run(statements: readonly Statement[], how: RunHow = {}): Promise<readonly StatementOutcome[]> {
    return this.#run(statements, { ...how, behind: [] });
  }

  async runWith(
    statements: readonly Statement[],
    { defer, onSent }: Behind,
  ): Promise<readonly StatementOutcome[]> {
    return this.#run(statements, { behind: await this.#deferredBy(defer), onSent });
  }

  async #run(statements: readonly Statement[], how: ChunkHow): Promise<readonly StatementOutcome[]> {
    const outcomes: StatementOutcome[] = [];
    let ahead: SentChunk | undefined;
    while (outcomes.length < statements.length) {
      const first = outcomes.length;
      if (statements[first]!.kind === 'copy') await this.#sendAlone(this.#takeDeferred());
      const { batch, chunk, before, after, sending } = ahead ?? this.#sendChunk(statements, first, how);
      const next = first + chunk.length;
      ahead =
        how.inOneTransaction && this.#canFollow(batch, statements[next])
          ? this.#sendChunk(statements, next, how)
          : undefined;
      const failure = await sending;
      if (failure) {
        // Refused as a whole, in the transaction that has failed.
        await ahead?.sending;
        if (!this.#lost && wasNotRun(failure)) throw await this.#notRun(failure);
        if (batch.answered === 0) this.#deferAgain(before);
        const explained = explainDeferred([...before, ...after], failure.error);
        // Of what is behind them it is no statement of the migration that failed.
        if (explained !== failure.error || (after.length > 0 && failure.at === chunk.length)) throw explained;
        throw this.#failed(failure, first, batch);
      }
      outcomes.push(...batch.outcomes);
    }
    if (statements.at(-1)?.kind === 'copy') await this.#sendAlone(how.behind);
    return outcomes;
  }

  /** Sends the statements from `first` on that may travel together. */
  #sendChunk(statements: readonly Statement[], first: number, { behind, onSent }: ChunkHow): SentChunk {
    const next = statements[first]!;
    // Outside a transaction the server would make one of the whole chunk, and undo what was before an error.
    const limits = this.inTransaction ? CHUNK : { ...CHUNK, statements: 1 };
    const before = this.#takeDeferred();
    const chunk = takeChunk(statements, first, limits).statements;
    const isLast = first + chunk.length === statements.length;
    const after = isLast && next.kind !== 'copy' ? behind : [];
    const whenSent = isLast ? onSent : undefined;
    const batch =
      next.kind === 'copy'
        ? new PgCopy(next)
        : new PgBatch(chunk, this.#companions(before, after, whenSent !== undefined));
    return { batch, chunk, before, after, sending: this.#send(batch, whenSent) };
  }

  /**
   * Whether a chunk that begins with that statement may be sent before this one is answered. The server has said that it is in
   * the transaction; where this one fails there, it refuses what begins so, and with it the rest of the chunk.
   */
  #canFollow(batch: PgBatch, next: Statement | undefined): boolean {
    return this.#status === 'T' && !(batch instanceof PgCopy) && isRefusedAfterFailure(next);
  }

  cancel(): Promise<void> {
    return this.#lost ? Promise.resolve() : this.#parts.cancel();
  }

  end(): Promise<void> {
    this.#ended ??= this.#discard();
    return this.#ended;
  }

  async #query(text: string, values: readonly unknown[] = []): Promise<object[]> {
    const result = await this.native.query({ text, values, types: pgValues });
    return [...(Array.isArray(result) ? result.at(-1)! : result).rows];
  }

  async #introduce(): Promise<void> {
    const [facts] = await this.query<{
      version: string;
      number: number;
      readonly: boolean;
      backend: number;
    }>(
      `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
              current_setting('transaction_read_only')::bool AS readonly, pg_backend_pid() AS backend`,
    );
    const { version, number, readonly, backend } = facts!;
    this.#backendId = backend;
    this.#server = {
      product: 'postgres',
      version,
      versionNumber: number,
      supportsTransactionalDdl: true,
      isGalera: false,
      isReadOnly: readonly,
    };
  }

  /** What it defers, and nothing of what was deferred before. */
  async #deferredBy(work: () => Promise<void>): Promise<readonly DeferredStatement[]> {
    const before = this.#takeDeferred();
    try {
      await work();
      return this.#deferred;
    } finally {
      this.#deferred = before;
    }
  }

  /** COPY has an answer in two parts, and stands alone: so does what is around it. */
  async #sendAlone(statements: readonly DeferredStatement[]): Promise<void> {
    const last = statements.at(-1);
    if (last === undefined) return;
    this.#deferred = statements.slice(0, -1);
    await this.query(last.text, last.values);
  }

  #takeDeferred(): readonly DeferredStatement[] {
    const deferred = this.#deferred;
    this.#deferred = [];
    return deferred;
  }

  /** A syntax error anywhere in a text keeps all of it from running: the transaction is still to begin, and to be ended. */
  #deferAgain(before: readonly DeferredStatement[]): void {
    if (this.#status === 'I' && before.some(({ begins }) => begins)) this.#deferred = before;
  }

  /**
   * What is sent ahead looks first whether what it was sent behind was committed: a setting that is made with each COMMIT
   * says so, and a transaction that failed takes it back. Inside one that has failed the server refuses everything anyway.
   */
  #companions(
    before: readonly DeferredStatement[],
    after: readonly DeferredStatement[],
    mayBeFollowed: boolean,
  ): Companions {
    const isAhead = this.#inFlight.length > 0;
    const guard = `SELECT CASE WHEN current_setting('${PACKET}', true) = '${this.#packets}' THEN 0 ELSE ('${NOT_COMMITTED}' || pg_backend_pid())::int END`;
    const mark = `SET ${PACKET} = '${++this.#packets}'`;
    return {
      before: before.flatMap((each) => (each.begins && isAhead ? [textOf(each), guard] : [textOf(each)])),
      behind: after.flatMap((each) =>
        each.commits && mayBeFollowed ? [mark, textOf(each)] : [textOf(each)],
      ),
    };
  }

  async #send(batch: PgBatch, onSent?: Behind['onSent']): Promise<SendFailure | undefined> {
    if (this.#lost) return { error: this.#lost, at: 0, offset: undefined, isOfPrevious: false };
    const previous = this.#inFlight.at(-1);
    this.#inFlight = [...this.#inFlight, batch];
    // The client takes it up when the previous one is answered, and must find it with the server then.
    this.native.query(batch);
    if (previous) {
      batch.submit(this.#connection);
      previous.ahead = batch;
    }
    onSent?.(batch);
    const failure = await batch.done;
    if (failure === undefined) return undefined;
    await batch.over;
    const isOfPrevious = previous !== undefined && (await previous.done) !== undefined;
    if (!isOfPrevious) await this.#withdrawAhead(batch);
    return { ...failure, isOfPrevious };
  }

  /** A trigger that COMMIT runs may reset the setting that says that it came. */
  async #notRun({ isOfPrevious }: SendFailure): Promise<NotRunError> {
    if (!isOfPrevious && this.#status !== 'I') await this.#query('ROLLBACK');
    return new NotRunError();
  }

  /** Has what was sent ahead of a packet that failed come to its end, of which the server runs nothing. */
  async #withdrawAhead(failed: PgBatch): Promise<void> {
    const { ahead } = failed;
    if (ahead === undefined) return;
    const status = await failed.over;
    await ahead.over;
    // Where COMMIT failed, or not even BEGIN was run, it has begun a transaction of its own, to be refused in it.
    if (status === 'I' && this.#status !== 'I' && !this.#lost) await this.#query('ROLLBACK');
  }

  #failed({ error, at, offset }: BatchFailure, before: number, batch: PgBatch): StatementFailedError {
    const readError = batch instanceof PgCopy ? batch.readError : undefined;
    if (readError !== undefined) throw readError;
    const { sentence, retryable } = explainDatabaseError(error, { isLost: this.#lost !== undefined });
    return new StatementFailedError(sentence, {
      at: before + at,
      offset,
      outcomeUnknown: this.#lost !== undefined,
      retryable,
      cause: error,
    });
  }

  /** The client tells an error before the server says that it is ready, and with that whether a transaction is open. */
  async #ready(): Promise<void> {
    if (this.native.readyForQuery || this.#lost) return;
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        this.#connection.off('readyForQuery', settle);
        this.#connection.off('end', settle);
        resolve();
      };
      this.#connection.on('readyForQuery', settle);
      this.#connection.on('end', settle);
    });
  }

  async #discard(): Promise<void> {
    await this.#parts.discard().catch(() => undefined);
    this.#lost ??= new Error('The session was ended.');
    this.#connection.off('readyForQuery', this.#onReady);
    this.native.off('notice', this.#onNotice);
  }

  readonly #onReady = ({ status }: { status: string }): void => {
    this.#status = status;
    const [answered, ...ahead] = this.#inFlight;
    this.#inFlight = ahead;
    answered?.endWith(status);
  };

  readonly #onNotice = (notice: PgNotice): void => {
    this.#inFlight[0]?.addNotice(notice);
  };

  readonly #onError = (error: Error): void => {
    this.#lost ??= error;
    for (const packet of this.#inFlight) packet.endWith(undefined);
    this.#inFlight = [];
  };

  readonly #onEnd = (): void => {
    this.#onError(new Error('The connection was closed.'));
  };
}

function wasNotRun({ error, isOfPrevious }: SendFailure): boolean {
  return isOfPrevious || error.message.includes(NOT_COMMITTED);
}

function textOf({ text, values = [] }: DeferredStatement): string {
  return withPgValues(text, values);
}

function together(statements: readonly DeferredStatement[]): { text: string; values: readonly unknown[] } {
  return { text: statements.map(textOf).join(SEPARATOR), values: [] };
}
