import type { AmbientScope, SessionWork } from '../../ambient-scope.js';
import { ambientScope } from '../../context.js';
import { LeaseReleasedError, TransactionControlError } from '../../errors.js';
import {
  type HandWords,
  HandWrittenTransactions,
  isCarriedOut,
  type ManualControl,
  type ManualTransactions,
} from '../../hand-written.js';
import type { ManagedPool } from '../../managed-pool.js';
import type { Session } from '../../session.js';
import type { TestLoan } from '../../test-loan.js';
import { makeQuery } from './make-query.js';
import { memberReader } from './member-reader.js';
import { readControl } from './pg-control.js';
import type { PgSession } from './pg-session.js';
import type { PgCallback, PgClient, PgPool, PgQuery } from './pg-types.js';
import { writes } from './transaction-id.js';

/**
 * The client that a pool lends inside a transaction: every statement goes to the transaction's queue, BEGIN and
 * COMMIT become a savepoint, `release()` gives nothing back. It works in every call style of `pg`.
 */
export class PgTransactionClient {
  readonly #managed: ManagedPool;
  readonly #pool: PgPool;
  readonly #bound: AmbientScope;
  #given: ManualTransactions | undefined;
  readonly #loan: TestLoan | undefined;
  #session: PgSession | undefined;
  #released = false;

  constructor(
    managed: ManagedPool,
    pool: PgPool,
    {
      scope,
      handWritten,
      loan,
    }: {
      scope: AmbientScope;
      handWritten?: ManualTransactions | undefined;
      loan?: TestLoan | undefined;
    },
  ) {
    this.#managed = managed;
    this.#pool = pool;
    this.#bound = scope;
    this.#given = handWritten;
    this.#loan = loan;
  }

  /** Takes the transaction's connection, as `pool.connect()` does. */
  async connect(): Promise<PgClient> {
    this.#session = (await this.#scope.connect()) as PgSession;
    return this.asClient();
  }

  query(config: unknown, values?: unknown, callback?: unknown): unknown {
    if (config == null) throw new TypeError('Client was passed a null or undefined query');
    this.#loan?.used(textOf(config));
    if (isSubmittable(config)) return this.#submit(config, values, callback);
    const query = makeQuery(this.#pool.Client.Query, config, values);
    const timeout = (config as { query_timeout?: number }).query_timeout;
    if (timeout) query.query_timeout = timeout;
    const done = [callback, values, query.callback].find((candidate) => typeof candidate === 'function');
    const result = this.#run(query);
    if (!done) return result;
    callBack(result, done as PgCallback);
    return undefined;
  }

  /**
   * Gives nothing back; a hand-written transaction that is still open is rolled back, as the server would do. With an
   * error, or `true`, the connection is closed when the transaction ends.
   */
  release(destroyBecause?: Error | boolean): void {
    if (this.#released) {
      throw new LeaseReleasedError(
        'Release called on client which has already been released to the pool. It was lent inside a transaction, ' +
          'which keeps its connection until its method returns. Release once, in a finally block.',
      );
    }
    this.#released = true;
    this.#loan?.end();
    if (destroyBecause) {
      this.#session?.distrust(
        destroyBecause instanceof Error ? destroyBecause : new Error('its holder released it as broken'),
      );
    }
    this.#given?.rollBackAll(this.#scope).catch(() => {});
  }

  /** This object behind the face of a `pg` client: what it does not do itself goes to the connection. */
  asClient(): PgClient {
    const own: Record<PropertyKey, unknown> = {
      query: (...args: Parameters<PgTransactionClient['query']>) => this.query(...args),
      release: (destroyBecause?: Error | boolean) => this.release(destroyBecause),
      connect: () => Promise.resolve(),
      end: () => {
        throw new TransactionControlError(
          "client.end() inside a transaction would close its connection; it was not sent. The pool owns the connection's life.",
        );
      },
    };
    const blank = Object.create(this.#pool.Client.prototype as object) as PgClient;
    const read = memberReader();
    const face: PgClient = new Proxy(blank, {
      get: (target, key) =>
        Object.hasOwn(own, key) ? own[key] : read(this.#session?.client ?? target, key, face),
      set: (target, key, value) => {
        if (Object.hasOwn(own, key)) own[key] = value;
        else Reflect.set(this.#session?.client ?? target, key, value);
        return true;
      },
      has: (target, key) => Reflect.has(this.#session?.client ?? target, key),
      deleteProperty: (target, key) => Reflect.deleteProperty(this.#session?.client ?? target, key),
    });
    return face;
  }

  /** A captured client used in a nested scope of the same transaction belongs to that scope, as anything run there. */
  get #scope(): AmbientScope {
    const ambient = ambientScope(this.#managed.source);
    return ambient?.transaction === this.#bound.transaction ? ambient : this.#bound;
  }

  /** Most clients serve a single statement, and begin nothing. */
  get #handWritten(): ManualTransactions {
    return (this.#given ??= new HandWrittenTransactions(WORDS));
  }

  #run(query: PgQuery): Promise<unknown> {
    const text = typeof query.text === 'string' ? query.text : undefined;
    try {
      const control = text === undefined ? undefined : readControl(text);
      if (control && isCarriedOut(control, this.#scope)) return this.#control(control);
      // As long as nothing was begun by hand, nothing is asked for by whoever began it.
      const by = this.#given ?? this;
      return this.#scope.submit(new PgStatement(query, { text, by })).catch(leadToCaller);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  async #control(control: ManualControl): Promise<unknown> {
    await this.#handWritten.carryOut(control, this.#scope);
    return controlResult(control.verb);
  }

  #submit(submittable: object & { callback?: unknown }, values: unknown, callback: unknown): unknown {
    const done = typeof values === 'function' ? values : callback;
    if (!submittable.callback && done) submittable.callback = done;
    const work: SessionWork<void> = {
      text: textOf(submittable),
      streams: true,
      by: this.#given ?? this,
      run: (session, prefix) => (session as PgSession).submit(submittable, prefix),
    };
    this.#scope.submit(work).catch((error: unknown) => {
      (submittable as { handleError?(error: unknown, connection: unknown): void }).handleError?.(
        error,
        this.#session?.client.connection,
      );
    });
    return submittable;
  }
}

const WORDS: HandWords = { label: 'a hand-written BEGIN', begin: 'BEGIN', where: 'on this client' };

/** One query of `pg` as a piece of work. */
class PgStatement implements SessionWork<unknown> {
  readonly text: string | undefined;
  readonly by: object;
  readonly #query: PgQuery;

  constructor(query: PgQuery, { text, by }: { text: string | undefined; by: object }) {
    this.#query = query;
    this.text = text;
    this.by = by;
  }

  mayWrite(): boolean {
    return writes(this.text) !== 'no';
  }

  run(session: Session, prefix: readonly string[]): Promise<unknown> {
    return (session as PgSession).query(this.#query, prefix);
  }
}

/** A driver error's own stack leads to the socket; that of the promise it is told by leads to the caller. */
function leadToCaller(error: unknown): never {
  if (error instanceof Error && 'severity' in error) Error.captureStackTrace(error);
  throw error;
}

function controlResult(verb: string): object {
  return { command: verb.toUpperCase().split(' ', 1)[0], rowCount: null, oid: null, rows: [], fields: [] };
}

/** The text of a query, of a config object, or of a driver object that brings its own protocol. */
export function textOf(query: unknown): string | undefined {
  if (typeof query === 'string') return query;
  const { text, cursor } = (query ?? {}) as { text?: unknown; cursor?: { text?: unknown } };
  const found = text ?? cursor?.text;
  return typeof found === 'string' ? found : undefined;
}

export function isSubmittable(config: unknown): config is object & { callback?: unknown } {
  return typeof (config as { submit?: unknown }).submit === 'function';
}

/** Hands a promise's end to a callback, in the async context of the call that passed the callback. */
export function callBack(result: Promise<unknown>, callback: PgCallback): void {
  result.then(
    (value) => process.nextTick(callback, null, value),
    (error: unknown) => process.nextTick(callback, error),
  );
}
