import { PassThrough, type Readable } from 'node:stream';
import type { AmbientScope } from '../../ambient-scope.js';
import { ambientScope } from '../../context.js';
import { LeaseReleasedError, TransactionControlError } from '../../errors.js';
import { HandWrittenTransactions, type ManualTransactions } from '../../hand-written.js';
import type { ManagedPool } from '../../managed-pool.js';
import { type ManualControl, readControl } from '../mysql/mysql-control.js';
import type { MariadbSession } from './mariadb-session.js';
import type { MariadbConnection, MariadbPrepared, MariadbSql } from './mariadb-types.js';

type Call<T> = (connection: MariadbConnection) => Promise<T>;

/**
 * The connection that a pool lends inside a transaction: every statement goes to the transaction's queue, START
 * TRANSACTION and COMMIT become a savepoint, `release()` gives nothing back.
 */
export class MariadbTransactionConnection {
  readonly #managed: ManagedPool;
  readonly #bound: AmbientScope;
  readonly #handWritten: ManualTransactions;
  #session: MariadbSession | undefined;
  #released = false;

  constructor(managed: ManagedPool, scope: AmbientScope, handWritten?: ManualTransactions) {
    this.#managed = managed;
    this.#bound = scope;
    this.#handWritten = handWritten ?? new HandWrittenTransactions('a hand-written START TRANSACTION');
  }

  /** Takes the transaction's connection, as `pool.getConnection()` does. */
  async connect(): Promise<MariadbConnection> {
    this.#session = (await this.#scope.connect()) as MariadbSession;
    return this.asConnection();
  }

  async run(method: 'query' | 'execute' | 'batch', [sql, values]: [MariadbSql, unknown?]): Promise<unknown> {
    return this.#statement(textOf(sql), (connection) => connection[method](sql, values));
  }

  /** This object behind the face of a connection: what it does not do itself goes to the connection. */
  asConnection(): MariadbConnection {
    const own: Record<PropertyKey, unknown> = {
      query: (...args: [MariadbSql, unknown?]) => this.run('query', args),
      execute: (...args: [MariadbSql, unknown?]) => this.run('execute', args),
      batch: (...args: [MariadbSql, unknown?]) => this.run('batch', args),
      queryStream: (sql: MariadbSql, values?: unknown) =>
        this.#stream(textOf(sql), (connection) => connection.queryStream(sql, values)),
      prepare: (sql: MariadbSql) => this.#prepare(sql),
      ping: (timeout?: number) => this.#submit(undefined, (connection) => connection.ping(timeout)),
      beginTransaction: () => this.run('query', ['START TRANSACTION']),
      commit: () => this.run('query', ['COMMIT']),
      rollback: () => this.run('query', ['ROLLBACK']),
    };
    for (const method of ['release', 'end', 'close', Symbol.asyncDispose])
      own[method] = async () => this.#release();
    for (const method of ['destroy', 'changeUser', 'reset', 'importFile']) {
      own[method] = () => {
        throw new TransactionControlError(
          `connection.${method}() inside a transaction would end it behind its owner's back; it was not sent. The pool owns the connection's life.`,
        );
      };
    }
    // The connector's methods use private members, so they run on the connection itself.
    const read = (key: PropertyKey): unknown => {
      const connection = this.#session?.connection;
      const value: unknown = connection && Reflect.get(connection, key, connection);
      return typeof value === 'function' ? (value as () => unknown).bind(connection) : value;
    };
    return new Proxy(own as unknown as MariadbConnection, {
      get: (_, key) => (Object.hasOwn(own, key) ? own[key] : key === 'then' ? undefined : read(key)),
      has: (_, key) => Object.hasOwn(own, key) || (!!this.#session && key in this.#session.connection),
    });
  }

  /** A captured connection used in a nested scope of the same transaction belongs to that scope, as anything run there. */
  get #scope(): AmbientScope {
    const ambient = ambientScope(this.#managed.source);
    return ambient?.transaction === this.#bound.transaction ? ambient : this.#bound;
  }

  /** Gives nothing back; a hand-written transaction that is still open is rolled back, as the server would do. */
  #release(): void {
    if (this.#released) {
      throw new LeaseReleasedError(
        'Release called on client which has already been released to the pool. It was lent inside a transaction, ' +
          'which keeps its connection until its method returns. Release once, in a finally block.',
      );
    }
    this.#released = true;
    this.#handWritten.rollBackAll(this.#scope).catch(() => {});
  }

  async #statement(text: string, call: Call<unknown>): Promise<unknown> {
    const control = readControl(text);
    if (control && control.verb !== 'commit implicitly') return this.#control(control);
    return this.#submit(text, call, control?.statement);
  }

  #submit<T>(text: string | undefined, call: Call<T>, commitsImplicitly?: string): Promise<T> {
    return this.#scope.submit({
      text,
      by: this.#handWritten,
      commitsImplicitly,
      run: (session, prefix) => (session as MariadbSession).run({ text, call }, prefix),
    });
  }

  #stream(text: string, open: (connection: MariadbConnection) => Readable): Readable {
    const out = new PassThrough({ objectMode: true });
    const refuse = (error: unknown): void => void out.destroy(error as Error);
    try {
      // A statement of control has no rows.
      if (readControl(text))
        throw new TransactionControlError(
          'A statement of control was asked for as a stream of rows; it was not sent.',
        );
    } catch (error) {
      process.nextTick(refuse, error);
      return out;
    }
    this.#scope
      .submit({
        text,
        by: this.#handWritten,
        run: (session, prefix) =>
          (session as MariadbSession).stream(
            {
              text,
              open(connection) {
                const rows = open(connection);
                rows.on('fields', (fields: unknown) => out.emit('fields', fields));
                // Whoever leaves before the end lets the rest run out.
                out.on('close', () => rows.resume());
                return rows.pipe(out) && rows;
              },
            },
            prefix,
          ),
      })
      .catch(refuse);
    return out;
  }

  async #prepare(sql: MariadbSql): Promise<MariadbPrepared> {
    const text = textOf(sql);
    const prepared = await this.#submit(text, (connection) => connection.prepare(sql));
    const face: Partial<MariadbPrepared> = {
      execute: (values) => this.#statement(text, () => prepared.execute(values)),
      executeStream: (values) => this.#stream(text, () => prepared.executeStream(values)),
      close: () => prepared.close(),
    };
    return new Proxy(prepared, {
      get: (target, key) =>
        (Object.hasOwn(face, key) ? Reflect.get(face, key) : Reflect.get(target, key)) as unknown,
    });
  }

  async #control(control: ManualControl): Promise<unknown> {
    const { verb } = control;
    if (verb === 'begin') {
      await this.#handWritten.begin(this.#scope, control);
      return answerWithoutServer();
    }
    const ended = await this.#handWritten.end(verb === 'commit' ? 'release' : 'rollback', this.#scope);
    if (!ended && !this.#bound.autocommit) {
      throw new TransactionControlError(
        `${verb.toUpperCase()} without a START TRANSACTION on this connection would end the transaction of the surrounding method; it was not sent. ` +
          'Let the method return to commit, throw to roll back, or call currentTransaction().setRollbackOnly().',
      );
    }
    return answerWithoutServer();
  }
}

/** What the connector tells of a statement without rows, for one that is not sent. */
export const answerWithoutServer = (): object => ({ affectedRows: 0, insertId: 0n, warningStatus: 0 });

const textOf = (sql: MariadbSql): string => (typeof sql === 'string' ? sql : sql.sql);
