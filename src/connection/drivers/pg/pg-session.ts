import type { Clock } from '../../../core/index.js';
import {
  type CommitAnswer,
  lostError,
  type Session,
  type SessionStatus,
  type TransactionLoan,
} from '../../session.js';
import { writeAtOnce } from './one-write.js';
import { attachPrefix, canCarryPrefix } from './prefixed-query.js';
import type { PgClient, PgClientConstructor, PgPool, PgQuery, PgQueryResult } from './pg-types.js';
import { ASSIGN_TRANSACTION_ID, READ_TRANSACTION_ID, writes } from './transaction-id.js';

/** How long a connection may take to say ReadyForQuery after an error before it is given up. */
const SETTLE_MS = 1000;
const CANCEL_CONNECT_MS = 2000;

export interface PgSessionOptions {
  readonly pool: PgPool;
  readonly clock: Clock;
  /** Called when no statement runs on the connection any more. */
  readonly onRest: () => void;
}

/** A `pg` client while a transaction holds it. */
export class PgSession implements Session {
  readonly client: PgClient;
  lease?: TransactionLoan;
  readonly #pool: PgPool;
  readonly #clock: Clock;
  readonly #onRest: () => void;
  /** Whether something was sent that COMMIT may have to keep. */
  #mayHaveWritten = false;
  #transactionId: string | null | undefined;
  #streaming = false;
  #endedByStatement = false;
  #lost: Error | undefined;
  #distrusted: Error | undefined;

  constructor(client: PgClient, { pool, clock, onRest }: PgSessionOptions) {
    this.client = client;
    this.#pool = pool;
    this.#clock = clock;
    this.#onRest = onRest;
    // Without a listener a session that the server terminates while idle ends the process.
    client.on('error', this.#onError);
    client.on('end', this.#onEnd);
    client.connection.on('readyForQuery', onRest);
    // It broke where pg-pool listened: in `onConnect` or `verify`.
    if (client._queryable === false) this.#lost = new Error('it was closed before it was lent');
  }

  get backendId(): number | undefined {
    return this.client.processID ?? undefined;
  }

  get lost(): Error | undefined {
    return this.#lost;
  }

  get distrusted(): Error | undefined {
    return this.#distrusted;
  }

  get endedByStatement(): boolean {
    return this.#endedByStatement || this.status() === 'idle';
  }

  get streaming(): boolean {
    return this.#streaming;
  }

  /** Whether a statement runs that ends by itself: a cursor or stream waits for its reader. */
  get isRunning(): boolean {
    return this.status() === 'busy' && !this.#streaming && !this.#lost;
  }

  status(): SessionStatus {
    if (!this.client.readyForQuery) return 'busy';
    switch (this.client.getTransactionStatus?.()) {
      case 'I':
        return 'idle';
      case 'T':
        return 'in transaction';
      case 'E':
        return 'failed';
      default:
        return 'busy';
    }
  }

  /** Runs a query with `prefix` in front of it: in one flight where the query allows it. */
  query(query: PgQuery, prefix: readonly string[]): Promise<unknown> {
    const written = this.#mayHaveWritten ? 'no' : writes(query.text);
    this.#mayHaveWritten ||= written !== 'no';
    if (prefix.length === 0 && written !== 'yes') return this.#send(query);
    if (!canCarryPrefix(query, this.client)) return this.#afterEach(prefix, query);
    // The id is learnt on the way, so that COMMIT need not ask for it: its answer could be lost with COMMIT's.
    const statements = written === 'yes' ? [...prefix, ASSIGN_TRANSACTION_ID] : prefix;
    attachPrefix(query, { statements, receive: this.#receiveTransactionId });
    return this.#send(query);
  }

  /** Runs a driver object that brings its own protocol (a cursor, a stream, COPY) and waits until the connection is free. */
  async submit(submittable: object, prefix: readonly string[]): Promise<void> {
    this.#mayHaveWritten = true;
    for (const text of prefix) await this.control(text);
    if (this.#lost) throw lostError(this, 'pid');
    this.#streaming = true;
    try {
      this.client.query(submittable);
      await this.#ready();
    } finally {
      this.#streaming = false;
    }
  }

  async control(text: string): Promise<void> {
    await this.#send(new this.#Query(text));
  }

  commit(): Promise<CommitAnswer> {
    if (this.#lost) return Promise.resolve({ kind: 'rolled back', error: lostError(this, 'pid') });
    const query = new this.#Query('COMMIT');
    if (this.#mayHaveWritten && this.#transactionId === undefined) {
      // If the connection breaks during COMMIT, the id is there already.
      const receive = this.#receiveTransactionId;
      attachPrefix(query, { statements: [READ_TRANSACTION_ID], receive, flush: true });
    }
    return this.#send(query).then(
      (result) =>
        (result as { command?: string }).command === 'COMMIT'
          ? { kind: 'committed' }
          : { kind: 'rolled back', error: undefined },
      (thrown: Error) => {
        // The server's own last word, where there is one, says more than that the connection is gone.
        const error = severityOf(thrown) ? thrown : (this.#lost ?? thrown);
        return isAnswer(error)
          ? { kind: 'rolled back', error }
          : { kind: 'unknown', error, transactionId: this.#transactionId };
      },
    );
  }

  async cancel(): Promise<void> {
    const { processID, secretKey, host, port } = this.client;
    if (!processID || this.#lost || this.status() !== 'busy') return;
    // CancelRequest goes over a connection of its own and needs no login, so it works while the server is full.
    const { connection } = new this.#Client(this.#pool.options);
    let isOnItsWay = false;
    await new Promise<void>((resolve) => {
      const giveUp = (): void => {
        // It names the connection, not the statement: whatever runs there when it arrives is cancelled.
        if (isOnItsWay) this.#lost ??= new Error('it is unknown when a cancel request will arrive');
        connection.stream.destroy();
      };
      const timer = this.#clock.setTimer(giveUp, CANCEL_CONNECT_MS);
      connection.on('error', giveUp);
      // The server closes this connection once it has passed the request on.
      connection.once('end', () => {
        timer.clear();
        resolve();
      });
      connection.once('connect', () => {
        isOnItsWay = true;
        connection.cancel(processID, secretKey);
      });
      if (host.startsWith('/')) connection.connect(`${host}/.s.PGSQL.${port}`);
      else connection.connect(port, host);
    });
  }

  abandon(reason: Error): void {
    this.#lost ??= reason;
    this.client.connection.stream.destroy();
  }

  /** Has the connection closed when its transaction ends. */
  distrust(reason: Error): void {
    this.#distrusted ??= reason;
  }

  /** Ends the session's hold on the client's events. */
  detach(): void {
    this.client.removeListener('error', this.#onError);
    this.client.removeListener('end', this.#onEnd);
    this.client.connection.removeListener('readyForQuery', this.#onRest);
  }

  get #Client(): PgClientConstructor {
    return this.#pool.Client;
  }

  get #Query(): PgClientConstructor['Query'] {
    return this.#pool.Client.Query;
  }

  readonly #receiveTransactionId = (id: string | null): void => {
    this.#transactionId = id;
  };

  async #afterEach(prefix: readonly string[], query: PgQuery): Promise<unknown> {
    for (const text of prefix) await this.control(text);
    return this.#send(query);
  }

  readonly #onError = (error: Error): void => {
    this.#lost ??= error;
    this.#onRest();
  };

  readonly #onEnd = (): void => {
    this.#lost ??= new Error('the server closed the connection');
  };

  #send(query: PgQuery): Promise<unknown> {
    if (this.#lost) return Promise.reject(lostError(this, 'pid'));
    return new Promise((resolve, reject) => {
      let failed = false;
      const answered: PgQuery['callback'] = (error, result) => {
        if (endsTransaction(query)) this.#endedByStatement = true;
        if (error) {
          failed = true;
          void this.#afterError(error).then(reject);
        } else if (!failed) {
          // pg calls once more, without an error, when the connection is ready after a value that it could not send.
          resolve(result);
        }
      };
      query.callback = answered;
      if (!Object.hasOwn(query, 'submit')) writeAtOnce(query);
      this.client.query(query);
    });
  }

  /** Waits until the connection can take the next statement; returns the error that the caller is told. */
  async #afterError(error: Error): Promise<Error> {
    if (isAnswer(error)) {
      await this.#ready();
    } else if (error.message === 'Query read timeout') {
      // The server still runs the statement. Its late answer must not meet the next holder of this connection.
      this.#lost ??= error;
    } else {
      // A value that cannot be sent fails inside submit(), before pg counts the query as sent.
      await Promise.resolve();
      await this.#ready(SETTLE_MS);
      if (!this.client.readyForQuery) this.#lost ??= error;
    }
    return error;
  }

  /** Resolves when the connection can take the next statement, or never will; with a limit, at the latest then. */
  #ready(limitMs?: number): Promise<void> {
    if (this.client.readyForQuery || this.#lost) return Promise.resolve();
    const { connection } = this.client;
    return new Promise((resolve) => {
      const timer = limitMs === undefined ? undefined : this.#clock.setTimer(() => done(), limitMs);
      const done = (): void => {
        timer?.clear();
        connection.removeListener('readyForQuery', done);
        connection.removeListener('end', done);
        resolve();
      };
      connection.on('readyForQuery', done);
      connection.on('end', done);
    });
  }
}

/** An ErrorResponse of a server that goes on; FATAL and PANIC end the session, so nothing is known of what ran. */
function isAnswer(error: Error): boolean {
  const severity = severityOf(error);
  return severity !== undefined && severity !== 'FATAL' && severity !== 'PANIC';
}

/** The severity of an ErrorResponse; what the driver itself throws has none. */
function severityOf(error: unknown): string | undefined {
  const { severity } = error as { severity?: unknown };
  return typeof severity === 'string' ? severity : undefined;
}

const ROLLBACK_AS_A_WHOLE = /\b(?:rollback|abort)\b(?!\s+(?:work\s+|transaction\s+)?to\b)/i;

/** Whether one of several statements in a text ended the transaction, by the command tags that the server answered. */
function endsTransaction({ text, _results }: PgQuery): boolean {
  if (!Array.isArray(_results)) return false;
  const tags = (_results as readonly PgQueryResult[]).map(({ command }) => command);
  // ROLLBACK TO SAVEPOINT has the tag of a ROLLBACK.
  return tags.includes('COMMIT') || (tags.includes('ROLLBACK') && ROLLBACK_AS_A_WHOLE.test(text));
}
