import { PassThrough, type Readable } from 'node:stream';
import type { AmbientScope } from '../../ambient-scope.js';
import { TransactionControlError } from '../../errors.js';
import type { ManualTransactions } from '../../hand-written.js';
import type { ManagedPool } from '../../managed-pool.js';
import type { TestLoan } from '../../test-loan.js';
import { LentConnection } from '../mysql/lent-connection.js';
import { readControl } from '../mysql/mysql-control.js';
import type { MariadbSession } from './mariadb-session.js';
import type { MariadbConnection, MariadbPrepared, MariadbSql } from './mariadb-types.js';

type Call<T> = (connection: MariadbConnection) => Promise<T>;

/**
 * The connection that a pool lends inside a transaction: every statement goes to the transaction's queue, START
 * TRANSACTION and COMMIT become a savepoint, `release()` gives nothing back.
 */
export class MariadbTransactionConnection {
  readonly #lent: LentConnection;
  #session: MariadbSession | undefined;

  constructor(managed: ManagedPool, scope: AmbientScope, handWritten?: ManualTransactions) {
    this.#lent = new LentConnection(managed, scope, handWritten);
  }

  /** Takes the transaction's connection, as `pool.getConnection()` does. */
  async connect(loan?: TestLoan): Promise<MariadbConnection> {
    this.#lent.loan = loan;
    this.#session = (await this.#lent.scope.connect()) as MariadbSession;
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
    const release = async (): Promise<void> => this.#lent.release();
    for (const method of ['release', 'end', 'close', Symbol.asyncDispose]) own[method] = release;
    for (const method of ['destroy', 'changeUser', 'reset', 'importFile']) {
      const refuse = (): never => this.#lent.refuse(method);
      own[method] = refuse;
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

  async #statement(text: string, call: Call<unknown>): Promise<unknown> {
    this.#lent.loan?.used(text);
    const control = readControl(text);
    if (control && this.#lent.carriesOut(control)) {
      await this.#lent.control(control);
      return answerWithoutServer();
    }
    return this.#submit(text, call, control?.statement);
  }

  #submit<T>(text: string | undefined, call: Call<T>, commitsImplicitly?: string): Promise<T> {
    return this.#lent.scope.submit({
      text,
      by: this.#lent.handWritten,
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
    this.#lent.scope
      .submit({
        text,
        by: this.#lent.handWritten,
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
}

/** What the connector tells of a statement without rows, for one that is not sent. */
export const answerWithoutServer = (): object => ({ affectedRows: 0, insertId: 0n, warningStatus: 0 });

const textOf = (sql: MariadbSql): string => (typeof sql === 'string' ? sql : sql.sql);
